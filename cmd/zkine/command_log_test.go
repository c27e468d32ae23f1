package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision/embedded"
	"github.com/zkine/zkine/revision/zktest"
)

// zkine runs a command in this process and returns what it printed.
func zkine(args ...string) (string, error) {
	cmd := newCommand(nil)
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

// TestLogCommandsOnTheWrongFolder covers a mistyped --data-dir, which must not
// become a new, empty ZooKeeper.
func TestLogCommandsOnTheWrongFolder(t *testing.T) {
	missing, empty := filepath.Join(t.TempDir(), "mistyped"), t.TempDir()
	for _, command := range []string{"verify", "accept"} {
		for _, folder := range []string{missing, empty} {
			_, err := zkine("log", command, "--data-dir="+folder)
			require.EqualError(t, err, fmt.Sprintf("--data-dir: no local ZooKeeper has kept its data in %q"+
				" — name the folder that zkine server has, or servers with --zookeeper", folder))
		}
	}
	require.NoDirExists(t, missing)
	entries, err := os.ReadDir(empty)
	require.NoError(t, err)
	require.Empty(t, entries)
}

// TestLogCommandsOnTheWrongRoot covers each command that looks at a root.
func TestLogCommandsOnTheWrongRoot(t *testing.T) {
	args, root, conn := sharedRoot(t)
	startZkine(t, args).ready()
	foreign, closed := root+"-kafka", root+"-closed"
	create(t, conn, foreign, "")
	create(t, conn, foreign+"/brokers", "")
	create(t, conn, closed, "")
	create(t, conn, closed+"/format", "")
	_, err := conn.SetACL(closed+"/format", zk.DigestACL(zk.PermAll, "somebody", "else"), -1)
	require.NoError(t, err)
	for _, command := range []string{"verify", "accept"} {
		for _, c := range []struct {
			args []string
			want string
		}{
			{[]string{"--zookeeper-root=" + root + "x"}, `no zkine data under ` + root + `x \(no such znode, and there is some under .*"` + root + `".*\) — check --zookeeper-root and --zookeeper$`},
			{[]string{"--zookeeper-root=" + foreign}, `no zkine data under ` + foreign + ` \(it holds \["brokers"\].*\) — check --zookeeper-root and --zookeeper$`},
			{[]string{"--zookeeper-root=" + root + "/log"}, `no zkine data under ` + root + `/log .*"` + root + `".* — check`},
			{[]string{"--zookeeper-root=" + closed}, closed + `/format: access denied, the znode's ACL keeps this zkine out.*give zkine all permissions`},
			{[]string{"--cluster-id=abc"}, `not the cluster to serve: ` + root + ` holds cluster [0-9a-f]+, and --cluster-id asks for abc — check`},
			{[]string{"--cluster-id=xyz"}, `--cluster-id: "xyz" is not a cluster id`},
			{[]string{"--zookeeper=a:b"}, `--zookeeper: "a:b" is not host:port`},
			{[]string{"--zookeeper-root=x"}, `--zookeeper-root: "x" is not a path like /zkine`},
		} {
			var out strings.Builder
			began := time.Now()
			code := execute(append(append([]string{"log", command}, args...), c.args...), nil, &out, &out)
			require.NotZero(t, code, out.String())
			require.Regexp(t, c.want, strings.TrimSpace(out.String()), "%s %q", command, c.args)
			require.NotContains(t, out.String(), "backup")
			require.Less(t, time.Since(began), limit)
		}
	}
}

// TestLogCommandsGiveUp has an ensemble that refuses, and one that is silent.
func TestLogCommandsGiveUp(t *testing.T) {
	silent := zktest.NewProxy(t, zktest.Shared(t).Addr())
	silent.Freeze(zktest.ToClient)
	port, err := embedded.FreePort()
	require.NoError(t, err)
	for _, address := range []string{fmt.Sprint("127.0.0.1:", port), silent.Addr()} {
		for _, command := range []string{"verify", "accept"} {
			var out strings.Builder
			began := time.Now()
			require.Equal(t, 1, execute([]string{"log", command, "--zookeeper=" + address, "--timeout=700ms"}, nil, &out, &out))
			require.Less(t, time.Since(began), 20*time.Second)
			require.Regexp(t, `^zkine: ZooKeeper at `+address+`: .*tried for 700ms.* — check --zookeeper, or try for longer with --timeout\n$`, out.String())
		}
	}
}
