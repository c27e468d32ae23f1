package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/embedded"
)

func TestProblemsAreOneLineWithARemedy(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{
			fmt.Errorf("%w: /zkine has no format but holds [\"x\"]; choose another --zookeeper-root, or remove what is there", revision.ErrForeignRoot),
			`root /zkine: the root holds something else than zkine's data: /zkine has no format but holds ["x"] — choose another --zookeeper-root, or remove what is there`,
		},
		{
			fmt.Errorf("%w: the ACL of /zkine; give zkine all permissions on everything under its root: %w", revision.ErrForbidden, errors.New("zk: not authenticated")),
			`root /zkine: access denied: the ACL of /zkine — give zkine all permissions on everything under its root`,
		},
		{
			errors.Join(fmt.Errorf("replay the log: %w: checksum does not match", revision.ErrCorrupt), nil),
			`root /zkine: replay the log: corrupt: checksum does not match — see "Corrupt" in docs/operations.md`,
		},
		{
			fmt.Errorf("%w in JAVA_HOME or the PATH: install x, or set JAVA_HOME", embedded.ErrNoJava),
			`root /zkine: no Java runtime found in JAVA_HOME or the PATH: install x, or set JAVA_HOME — or serve a ZooKeeper that runs elsewhere: --zookeeper=host:2181`,
		},
		{&problem{thing: "--x", what: "y", remedy: "z"}, "--x: y — z"},
		{errors.New("something new"), "root /zkine: something new"},
	} {
		require.Equal(t, c.want, about("root /zkine", c.err).Error())
	}
}

func TestExecuteReportsUsage(t *testing.T) {
	for _, c := range []struct {
		args []string
		env  string
		want string
	}{
		{[]string{"serve"}, "", "zkine: serve: no such command — did you mean zkine server?"},
		{[]string{"put"}, "", "zkine: put: no such command — see zkine --help"},
		{[]string{"server", "--quaint-thing=x"}, "", "zkine: --quaint-thing: no such flag — see --help"},
		{[]string{"server", "--quaint-thing=x", "--name", "a", "--odd-matter", "/x", "--third-affair=1"}, "", "zkine: --quaint-thing, --odd-matter, --third-affair: no such flags — see --help"},
		{[]string{"log", "dump", "--zookeeper=a:1"}, "", "zkine: dump: no such command — see zkine log --help"},
		{[]string{"log", "verfiy", "--zookeeper=a:1", "--what"}, "", "zkine: verfiy: no such command — did you mean zkine log verify?"},
		{[]string{"serve", "--zookeeper=a:1"}, "", "zkine: serve: no such command — did you mean zkine server?"},
		{[]string{"--zookeeper=a:1", "serve"}, "", "zkine: serve: no such command — did you mean zkine server?"},
		{[]string{"log", "verify", "--root=/x", "--zookeper=a:1"}, "", "zkine: --root, --zookeper: no such flags — did you mean --zookeeper? See --help"},
		{[]string{"server", "-x"}, "", "zkine: -x: no such flag — see --help"},
		{[]string{"server", "--name"}, "", "zkine: --name: a value is missing — write --name=..."},
		{[]string{"server", "--max-txn-ops", "many"}, "", `zkine: --max-txn-ops: "many" is not a whole number — write one like 128`},
		{[]string{"server", "--zookeeper", "a:1", "b:1"}, "", "zkine: b:1: an argument that belongs to no flag — separate the values of a flag with commas; see --help"},
		{[]string{"server"}, "ZKINE_MAX_TXN_OPS=0", "zkine: ZKINE_MAX_TXN_OPS: 0 is out of bounds — choose from 1 to 1048576"},
		{[]string{"server", "--zookeper=a:1"}, "", "zkine: --zookeper: no such flag — did you mean --zookeeper? See --help"},
		{[]string{"server", "--listen-client-url=http://a:1"}, "", "zkine: --listen-client-url: no such flag — did you mean --listen-client-urls? See --help"},
		{[]string{"log", "verify", "--zookeeper_rot=/x"}, "", "zkine: --zookeeper_rot: no such flag — did you mean --zookeeper-root? See --help"},
		{[]string{"server"}, "ZKINE_ZOOKEPER=a:1", "zkine: ZKINE_ZOOKEPER: no such setting — did you mean ZKINE_ZOOKEEPER? Else unset it, or give it another prefix"},
		{[]string{"server"}, "zkine_zookeeper=a:1", "zkine: zkine_zookeeper: no such setting — did you mean ZKINE_ZOOKEEPER? Else unset it, or give it another prefix"},
		{[]string{"server"}, "ZKINE_LISTEN_CLIENT_URL=http://a:1", "zkine: ZKINE_LISTEN_CLIENT_URL: no such setting — did you mean ZKINE_LISTEN_CLIENT_URLS? Else unset it, or give it another prefix"},
		{[]string{"server"}, "ZKINE_MAX_TXN_OP=1", "zkine: ZKINE_MAX_TXN_OP: no such setting — did you mean ZKINE_MAX_TXN_OPS? Else unset it, or give it another prefix"},
		{[]string{"version", "--short"}, "", "zkine: --short: no such flag — see --help"},
	} {
		var out, errs strings.Builder
		require.Equal(t, 2, execute(c.args, []string{c.env}, &out, &errs), c.args)
		require.Equal(t, c.want+"\n", errs.String(), c.args)
		require.Empty(t, out.String())
	}
}

func TestVersionAndHelp(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"version"}, "etcd API 3.7.3\n"},
		{nil, "zkine server --zookeeper=zk1:2181,zk2:2181,zk3:2181"},
		{[]string{"server", "--help"}, "--max-txn-ops as ZKINE_MAX_TXN_OPS"},
	} {
		var out, errs strings.Builder
		require.Zero(t, execute(c.args, nil, &out, &errs))
		require.Contains(t, out.String(), c.want)
		require.Empty(t, errs.String())
	}
}

func TestTellingLine(t *testing.T) {
	require.Equal(t, "2026 ERROR [main] QuorumPeerMain: Unable to load database", causeLine(`wait: exited; the end of /d/zookeeper.log:
2026 INFO  [main] started
2026 ERROR [main] QuorumPeerMain: Unable to load database
	at org.apache.zookeeper.Error.x(Y.java)
2026 INFO  [main] ZKAuditProvider: exited`))
	require.Equal(t, "last", causeLine("first\nlast\n"))
}

func TestNamesOfPackagesAreLeftOutAndWordsAreNot(t *testing.T) {
	for text, want := range map[string]string{
		"revision: no znode":                           "no znode",
		"read x: revision: archive: it begins later":   "read x: it begins later",
		"folder /x: archive: empty (recovery: y)":      "folder /x: empty (y)",
		"what it held at its revision: that is 7":      "what it held at its revision: that is 7",
		"--archive: is needed":                         "--archive: is needed",
		"etcdserver: mvcc: required revision: a later": "etcdserver: mvcc: required revision: a later",
	} {
		require.Equal(t, want, oneLine(text))
	}
}
