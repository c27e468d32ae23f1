// Command zkine serves the etcd v3 API and keeps its state in a ZooKeeper
// ensemble.
//
// The files, in the order in which a start passes through them:
//
//	args.go, command*.go              the commands
//	flags*.go, env.go, check*.go      from arguments, variables and a file to a checked config
//	logging.go, signals.go            the log, and what ends the process
//	run.go                            the order of start and stop
//	front.go                          the server on its sockets, and the line that says that it is ready
//	servedrecord.go                   the file that says what was served before
//	localzookeeper.go, localheap.go   the local ZooKeeper, and how much it may hold
//	memory.go                         how much memory there is, and what the quota may take
//	acl_start.go                      a look at who may touch what is there, before anything is created
//	open.go                           the log and the backend
//	statusline.go                     how far a start has come
//	ensemble.go                       a look at the versions and heaps of an ensemble
//
// problem.go makes one line with a remedy of every error.
//
// It wires together packages server, backend and revision, and holds no logic
// of the store.
package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func main() {
	silenceGRPC()
	run := execute
	if strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe") == etcdName {
		run = executeAsEtcd
	}
	os.Exit(run(os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}

// etcdName is etcd's program. Called by that name, as through a link, zkine takes
// etcd's command line: no command, and flags alone. Like an etcd it opens no port
// that it was not told of.
const etcdName = "etcd"

// asEtcd makes a command line of etcd's one of zkine's. To etcd, -name is --name.
// A flag of one letter stays what it is, and so does a negative number; any other
// value that begins with a dash has to be attached by an equals sign.
func asEtcd(args []string) []string {
	server := []string{"server"}
	for _, arg := range args {
		if len(arg) > 2 && arg[0] == '-' && 'a' <= arg[1] && arg[1] <= 'z' {
			arg = "-" + arg
		}
		server = append(server, arg)
	}
	if slices.Contains(server, "--version") {
		return []string{"version"}
	}
	return server
}

// Exit codes, but for 0, a clean end. The systemd unit names those after which
// another start is of no use.
const (
	exitError  = 1
	exitUsage  = 2
	exitDecide = 3
	exitBlind  = 4
)

// execute runs the command line and returns the exit code: 0 for a clean end, 1
// for an error, 2 for a command line or an environment that cannot be, 3 if a
// person must decide before another start makes sense, 4 if a look saw nothing;
// and 128 and the signal's number if one came before a command's end.
func execute(args, environ []string, stdout, stderr io.Writer) int {
	return executeOn(newCommand(environ), args, stdout, stderr)
}

// executeAsEtcd is execute for a command line of etcd's.
func executeAsEtcd(args, environ []string, stdout, stderr io.Writer) int {
	cmd := newCommand(environ)
	for _, sub := range cmd.Commands() {
		if urls := sub.Flags().Lookup("listen-metrics-urls"); sub.Name() == "server" {
			// An etcd has none by default: metrics and health are on the client URLs.
			urls.DefValue = "[]"
			_ = urls.Value.(pflag.SliceValue).Replace(nil) // which never fails
		}
	}
	return executeOn(cmd, asEtcd(args), stdout, stderr)
}

func executeOn(cmd *cobra.Command, args []string, stdout, stderr io.Writer) int {
	cmd.SetArgs(append([]string{}, args...)) // nil would stand for the process' own
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	var ran *cobra.Command
	err := checkArgs(cmd, args)
	if err == nil {
		ran, err = cmd.ExecuteC()
	}
	if err == nil {
		return 0
	}
	if p, code := stoppedBefore(ran, err); p != nil {
		fmt.Fprintf(stderr, "zkine: %v\n", p)
		return code
	}
	p := explain(err)
	fmt.Fprintf(stderr, "zkine: %v\n", p)
	switch {
	case p.usage:
		return exitUsage
	case p.decide:
		return exitDecide
	case p.blind:
		return exitBlind
	}
	return exitError
}
