package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// zkine runs a command in this process and returns what it printed.
func zkine(args ...string) (string, error) {
	cmd := newRootCommand(nil)
	var out strings.Builder
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SetArgs(args)
	err := cmd.Execute()
	return out.String(), err
}

func TestLogVerify(t *testing.T) {
	args, root, conn := sharedRoot(t)
	startZkine(t, args).ready()
	verify := append([]string{"log", "verify"}, args...)
	out, err := zkine(verify...)
	require.NoError(t, err, out)
	require.Regexp(t, `^root `+root+`, cluster [0-9a-f]+\nlog: 1 segments, 0 slots, 0 requests, 0 bytes\nsound\n$`, out)

	create(t, conn, root+"/log/notes", "")
	out, err = zkine(verify...)
	require.ErrorContains(t, err, "1 of its znodes cannot be trusted")
	require.Contains(t, out, root+"/log/notes: corrupt")

	_, err = zkine("log", "verify")
	require.ErrorContains(t, err, "--zookeeper: is needed")
}
