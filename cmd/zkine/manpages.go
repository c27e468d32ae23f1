//go:build manpages

package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra/doc"
)

// With the tag manpages the program has a command more: "man DIR" writes the
// manual pages of all others, for a release. It is not in the program that is
// shipped, which needs no generator.
func init() {
	if len(os.Args) != 3 || os.Args[1] != "man" {
		return
	}
	header := &doc.GenManHeader{Section: "1", Source: "zkine " + version, Manual: "zkine"}
	if err := doc.GenManTree(newCommand(nil), header, os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(exitError)
	}
	os.Exit(0)
}
