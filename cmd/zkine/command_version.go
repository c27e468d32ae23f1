package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/zkine/zkine/server"
)

// version is set by the linker: make build passes what git describe says, which
// for a release is its tag.
var version string

// unknownVersion is what a build says that was made without make, git and the
// module proxy.
const unknownVersion = "unknown"

func newVersionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprint(cmd.OutOrStdout(), versionText())
			return err
		},
	}
}

// productVersion is the linker's version, or what go build and go install note.
func productVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return unknownVersion
}

func versionText() string {
	return fmt.Sprintf("zkine %s\netcd API %s\n%s %s/%s\n",
		productVersion(), server.DefaultVersion, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
