package main

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/cmd/zkine/logprint"
	"github.com/zkine/zkine/revision/zktest"
)

// records parses what zkine log print -o json has printed.
func records(t *testing.T, text string) (all []logprint.Record) {
	t.Helper()
	for line := range strings.Lines(text) {
		var r logprint.Record
		require.NoError(t, json.Unmarshal([]byte(line), &r), line)
		all = append(all, r)
	}
	return all
}

func TestLogPrint(t *testing.T) {
	args, root, _ := sharedRoot(t)
	kv := client(t, startZkine(t, append(args, "--name=one", "--log-segment-slots=3")).ready())
	for _, value := range []string{"a", "b", "c", "d", "e"} {
		put(t, kv, "/registry/pods/shop/web", value)
	}
	put(t, kv, "/registry/secrets/shop/db", "s3cr3t")
	show := func(more ...string) string {
		out, err := zkine(append(append([]string{"log", "print"}, args...), more...)...)
		require.NoError(t, err, out)
		return out
	}
	all := records(t, show("-o", "json"))
	require.Len(t, all, 6)
	require.Equal(t, "put", all[0].Kind)
	require.Equal(t, "one", all[0].Member)
	require.EqualValues(t, 2, all[0].Revision)
	require.Equal(t, "1/0", all[0].Place)
	require.EqualValues(t, "create", all[0].Changes[0].Change)
	require.Nil(t, all[0].Ops[0].Value)
	require.Equal(t, "2/0", all[3].Place, "over segments")

	require.Len(t, records(t, show("-o", "json", "--from-revision=4", "--to-revision=5")), 2)
	require.Len(t, records(t, show("-o", "json", "--from-place=1/1", "--to-place=2/0")), 3)
	require.Len(t, records(t, show("-o", "json", "--prefix=/registry/secrets/")), 1)
	raw := records(t, show("-o", "json", "--replay=false"))
	require.Len(t, raw, 6)
	require.Zero(t, raw[0].Revision)

	values := show("--values")
	require.Contains(t, values, `put /registry/pods/shop/web (1 bytes) = "e"`)
	require.Contains(t, values, "(not shown: it may be a Secret)")
	require.NotContains(t, values, "s3cr3t")
	require.NotContains(t, show(), `"e"`)

	for want, more := range map[string]string{
		`--from-place: "x" is no place in the log`:                "--from-place=x",
		"--to-place: it comes before --from-place":                "--to-place=1/0 --from-place=2/0",
		"--to-revision: revisions are known by replaying the log": "--replay=false --to-revision=3",
		"no zkine data under " + root + "x":                       "--zookeeper-root=" + root + "x",
		"not the cluster to serve: " + root + " holds cluster":    "--cluster-id=abc",
	} {
		_, err := zkine(append(append([]string{"log", "print"}, args...), strings.Fields(more)...)...)
		require.ErrorContains(t, err, want)
	}
}

// TestLogPrintFollows goes on with what is written, over a lost connection and new
// segments, until it is stopped.
func TestLogPrintFollows(t *testing.T) {
	t.Parallel() // it waits most of the time
	args, root, _ := sharedRoot(t)
	kv := client(t, startZkine(t, append(args, "--log-segment-slots=3")).ready())
	put(t, kv, "/a", "0")
	proxy := zktest.NewProxy(t, zktest.Shared(t).Addr())
	cmd := exec.Command(os.Args[0], "log", "print", "--follow", "-o", "json", "--zookeeper="+proxy.Addr(), "--zookeeper-root="+root, "--prefix=/a", "--timeout=5s") // in which a busy machine opens a session
	cmd.Env = append(os.Environ(), asZkine+"=1")
	says, err := cmd.StderrPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	said := bufio.NewScanner(says)
	lines := bufio.NewScanner(out)
	for i, value := range []string{"0", "11", "222", "3333", "44444", "555555", "6666666", "77777777"} {
		if i > 0 {
			put(t, kv, "/a", value)
			put(t, kv, "/b", value)
		}
		require.True(t, lines.Scan(), "it has ended")
		r := records(t, lines.Text())[0]
		require.Equal(t, len(value), r.Ops[0].Bytes)
		require.Equal(t, int64(max(2, 2*i+1)), r.Revision)
		if i == 4 {
			// An outage that lasts longer than --timeout.
			proxy.Refuse()
			proxy.CutAll()
			require.True(t, said.Scan())
			require.Equal(t, "the connection to ZooKeeper was lost; going on with another one", said.Text())
			for range 2 {
				require.True(t, said.Scan(), "it has ended")
				// A connection that is closed at once may be refused, or accepted and then reset.
				require.Regexp(t, "^still no connection to ZooKeeper: (no quorum: )?no ZooKeeper server gives a session", said.Text())
			}
			proxy.Accept()
		}
	}
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	require.False(t, lines.Scan())
	require.NoError(t, cmd.Wait())
}
