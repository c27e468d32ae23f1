// Command zkine serves the etcd v3 API and keeps its state in a ZooKeeper
// ensemble.
//
// The files, in the order in which a start passes through them: command.go (the
// commands), flags.go, env.go and config.go (from words to a checked Config),
// logging.go, signals.go, run.go (the order of start and stop), zookeeper.go
// (the embedded server, and a look at an ensemble's versions), ready.go (the
// line that says where to point clients). problem.go makes one line of whatever
// went wrong.
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
	root := newRootCommand(environ)
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := checkWords(root, args)
	if err == nil {
		err = root.Execute()
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
