// Command zkine serves the etcd v3 API and keeps its state in a ZooKeeper
// ensemble.
//
// The files, in the order in which a start passes through them:
//
//	args.go, command*.go              the commands
//	flags*.go, env.go, check*.go      from arguments and variables to a checked config
//	logging.go, signals.go            the log, and what ends the process
//	run.go                            the order of start and stop
//	front.go                          the server on its sockets, and the line that says that it is ready
//	servedrecord.go                   the file that says what was served before
//	localzookeeper.go, localheap.go   the local ZooKeeper, and how much it may hold
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
)

func main() {
	silenceGRPC()
	os.Exit(execute(os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}

// Exit codes, but for 0, a clean end. The systemd unit names those after which
// another start is of no use.
const (
	exitError  = 1
	exitUsage  = 2
	exitDecide = 3
)

// execute runs the command line and returns the exit code: 0 for a clean end, 1
// for an error, 2 for a command line or an environment that cannot be, 3 if a
// person must decide before another start makes sense.
func execute(args, environ []string, stdout, stderr io.Writer) int {
	cmd := newCommand(environ)
	cmd.SetArgs(args)
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	err := checkArgs(cmd, args)
	if err == nil {
		err = cmd.Execute()
	}
	if err == nil {
		return 0
	}
	p := explain(err)
	fmt.Fprintf(stderr, "zkine: %v\n", p)
	switch {
	case p.usage:
		return exitUsage
	case p.decide:
		return exitDecide
	}
	return exitError
}
