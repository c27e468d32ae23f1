package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/zkine/zkine/server"
)

// version is set by the linker: make build passes what git describe says.
var version string

// productVersion is the linker's version, or what go build and go install note.
func productVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}

func versionText() string {
	return fmt.Sprintf("zkine %s\netcd API %s\n%s %s/%s\n",
		productVersion(), server.DefaultVersion, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
