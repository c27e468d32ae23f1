package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/zkine/zkine/server"
)

const zkineHelp = `zkine serves the etcd v3 API and keeps its state in Apache ZooKeeper.

To try it, with nothing but a Java runtime and ZooKeeper's jars installed:

  zkine server
  etcdctl --endpoints=http://127.0.0.1:2379 put hello world

On a ZooKeeper ensemble; start as many of these as you like:

  zkine server --zookeeper=zk1:2181,zk2:2181,zk3:2181`

// newCommand builds the command line. environ holds "NAME=value" strings.
func newCommand(environ []string) *cobra.Command {
	cmd := &cobra.Command{
		Use:           "zkine",
		Short:         "The etcd API on ZooKeeper",
		Long:          zkineHelp,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          knownCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return flagProblem(err) })
	cmd.AddCommand(newServerCommand(environ), newLogCommand(environ), newACLCommand(environ), newExportCommand(environ),
		newHistoryCommand(environ), newArchiveCommand(environ), newBackupCommand(environ), newRestoreCommand(environ), newUndeleteCommand(environ), newImportCommand(environ),
		newHealthCommand(environ), newDoctorCommand(environ), newInspectCommand(environ), newTopCommand(environ), newVersionCommand())
	return cmd
}

func knownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	remedy := "see " + cmd.CommandPath() + " --help"
	cmd.SuggestionsMinimumDistance = 2
	if suggestions := cmd.SuggestionsFor(args[0]); len(suggestions) > 0 {
		remedy = "did you mean " + cmd.CommandPath() + " " + strings.Join(suggestions, " or "+cmd.CommandPath()+" ") + "?"
	}
	return &problem{thing: args[0], what: "no such command", remedy: remedy, usage: true}
}

func noArguments(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return &problem{
		thing: args[0], what: "an argument that belongs to no flag",
		remedy: "separate the values of a flag with commas; see --help", usage: true,
	}
}

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
