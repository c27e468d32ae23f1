package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/cmd/zkine/etcdflags"
	"github.com/zkine/zkine/revision/zktest"
)

// read parses a command line with variables and returns what they and a file lead to.
func readSettings(t *testing.T, environ []string, args ...string) (*config, *pflag.FlagSet, error) {
	t.Helper()
	var cfg config
	flags := pflag.NewFlagSet("server", pflag.ContinueOnError)
	cfg.bind(flags)
	etcdflags.Bind(flags)
	require.NoError(t, flags.Parse(args))
	env, err := readEnv(flags, environ)
	require.NoError(t, err)
	if err = cfg.etcd.read(flags, env); err == nil {
		err = cfg.check(flags, env.from)
	}
	return &cfg, flags, err
}

func settingsFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "zkine.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// TestAFileIsTheLastToBeAsked: a flag wins over its variable, and that over the file.
func TestAFileIsTheLastToBeAsked(t *testing.T) {
	path := settingsFile(t, `
max-txn-ops: 1
max-request-bytes: 2
bcrypt-cost: 4
name: from-file
cors: [https://a, https://b]
watch-progress-notify-interval: 5000000000
grpc-keepalive-min-time: 7s
auto-compaction-retention: 8
client-transport-security:
  client-cert-auth: true
zookeeper: [zk1, "zk2:2182"]
`)
	cfg, _, err := readSettings(t, []string{"ZKINE_MAX_REQUEST_BYTES=20", "ZKINE_CONFIG_FILE=" + path}, "--max-txn-ops=10")
	require.NoError(t, err)
	require.Equal(t, 10, cfg.maxTxnOps)
	require.Equal(t, 20, cfg.maxRequestBytes)
	require.Equal(t, 4, cfg.auth.bcryptCost)
	require.Equal(t, "from-file", cfg.name)
	require.Equal(t, []string{"https://a", "https://b"}, cfg.cors)
	require.Equal(t, 5*time.Second, cfg.progressInterval)
	require.Equal(t, 7*time.Second, cfg.limits.keepaliveMinTime)
	require.Equal(t, 8*time.Hour, cfg.autoCompaction.Period)
	require.True(t, cfg.tls.ClientCertAuth)
	require.Equal(t, []string{"zk1:2181", "zk2:2182"}, cfg.zookeeper)
}

func TestAFileIsRefusedByLine(t *testing.T) {
	for text, want := range map[string]string{
		"\nzookeper: a":            `:2: zookeper: no such setting — did you mean zookeeper? See zkine server --help`,
		"nonsense-at-large: 1":     `:1: nonsense-at-large: no such setting — see zkine server --help`,
		"config-file: other":       `:1: config-file: no such setting — see zkine server --help`,
		"name: x\nmax-txn-ops: ab": `:2: max-txn-ops: "ab" is not a whole number — write one like 128`,
		"max-txn-ops: -1":          `:1: max-txn-ops: -1 is out of bounds — choose from 1 to 1048576`,
		"peer-transport-security:\n  cert-file: x": `:2: peer-transport-security.cert-file: it has no meaning here: zkines have no peers, they meet in ZooKeeper: ` +
			`--zookeeper and --zookeeper-root say where — leave it out, or have all such flags of etcd accepted with --ignore-etcd-flags`,
	} {
		path := settingsFile(t, text)
		_, _, err := readSettings(t, nil, "--config-file="+path)
		require.EqualError(t, err, path+want)
		require.True(t, explain(err).usage)
	}
	_, _, err := readSettings(t, []string{"ZKINE_CONFIG_FILE=/not/there"})
	require.EqualError(t, err, "ZKINE_CONFIG_FILE: open /not/there: no such file or directory — write it as docs/operations.md shows")
}

// TestFlagsWithoutMeaning: each is refused with its reason, or all are accepted with
// one warning.
func TestFlagsWithoutMeaning(t *testing.T) {
	_, _, err := readSettings(t, nil, "--snapshot-count=10000", "--pre-vote")
	require.ErrorContains(t, err, "--")
	require.ErrorContains(t, err, "it has no meaning here: ZooKeeper ")
	require.ErrorContains(t, err, "accepted with --ignore-etcd-flags")

	path := settingsFile(t, "ignore-etcd-flags: true\nwal-dir: /wal\n")
	cfg, flags, err := readSettings(t, []string{"ZKINE_ELECTION_TIMEOUT=1000"},
		"--config-file="+path, "--pre-vote=false", "--strict-reconfig-check", "--initial-cluster", "a=http://b", "--name=n")
	require.NoError(t, err)
	require.Equal(t, "n", cfg.name)
	require.Equal(t, "ignored, since they are etcd's and have no meaning here: --initial-cluster, --strict-reconfig-check, ZKINE_ELECTION_TIMEOUT, --pre-vote, "+path+":2: wal-dir",
		warned(cfg, flags))
}

func warned(cfg *config, flags *pflag.FlagSet, environ ...string) string {
	var out strings.Builder
	log := logrus.New()
	log.SetOutput(&out)
	log.SetFormatter(plainFormatter{})
	cfg.etcd.warn(flags, environ, logrus.NewEntry(log))
	return out.String()
}

// plainFormatter logs the message alone.
type plainFormatter struct{}

func (plainFormatter) Format(e *logrus.Entry) ([]byte, error) { return []byte(e.Message), nil }

func TestVariablesOfEtcdAreWarnedOf(t *testing.T) {
	cfg, flags, err := readSettings(t, nil)
	require.NoError(t, err)
	require.Equal(t, "ETCD_NAME, ETCD_DATA_DIR: set, but zkine does not read etcd's variables; set ZKINE_NAME, ZKINE_DATA_DIR; ETCD_INITIAL_CLUSTER: set, and without meaning here",
		warned(cfg, flags, "ETCD_NAME=x", "ETCD_DATA_DIR=/d", "ETCD_INITIAL_CLUSTER=x", "ETCD_LOG_LEVEL=", "ETCD_SERVICE_HOST=10.0.0.1", "ETCDCTL_ENDPOINTS=x"))
	require.Empty(t, warned(cfg, flags, "HOME=/", "ZKINE_NAME=x"))
}

// TestNamesOfEtcd: a name that etcd has changed is told, a link takes etcd's command
// line, and no flag without meaning is offered.
func TestNamesOfEtcd(t *testing.T) {
	for args, want := range map[string]string{
		"--experimental-watch-progress-notify-interval=5s": "zkine: --experimental-watch-progress-notify-interval: no such flag — did you mean --watch-progress-notify-interval? See --help\n",
		"--initial-clusteer=5s":                            "zkine: --initial-clusteer: no such flag — see --help\n",
		"--force-new-cluster":                              "zkine: --force-new-cluster: it has no meaning here: to serve another cluster than before is --new-cluster — leave it out, or have all such flags of etcd accepted with --ignore-etcd-flags\n",
	} {
		var out strings.Builder
		require.Equal(t, exitUsage, executeAsEtcd([]string{args}, nil, &out, &out))
		require.Equal(t, want, out.String())
	}
	for _, version := range []string{"--version", "-version"} {
		var out strings.Builder
		require.Equal(t, 0, executeAsEtcd([]string{version}, nil, &out, &out))
		require.Contains(t, out.String(), "etcd API 3.7")
	}
}

// TestEtcdTakesOneDash: a link takes flags as etcd does, with one dash or two.
func TestEtcdTakesOneDash(t *testing.T) {
	require.Equal(t, []string{"server", "--name", "a", "--data-dir=/-x", "--client-cert-auth", "--quota-backend-bytes", "-1", "-h", "-"},
		asEtcd([]string{"-name", "a", "-data-dir=/-x", "--client-cert-auth", "-quota-backend-bytes", "-1", "-h", "-"}))
	for args, want := range map[string]string{
		"-initial-cluster=a": "zkine: --initial-cluster: it has no meaning here",
		"-quaint-thing=x":    "zkine: --quaint-thing: no such flag",
		"-x":                 "zkine: -x: no such flag",
	} {
		var out strings.Builder
		require.Equal(t, exitUsage, executeAsEtcd([]string{args}, nil, &out, &out))
		require.Contains(t, out.String(), want)
	}
}

// TestEtcdOpensNoOtherPort runs a link as an etcd is run: metrics and health are on the client URL alone, unless a flag or
// a variable names others.
func TestEtcdOpensNoOtherPort(t *testing.T) {
	t.Parallel()
	const serving = "serving metrics and health"
	link := filepath.Join(t.TempDir(), etcdName)
	binary, err := filepath.Abs(os.Args[0])
	require.NoError(t, err)
	require.NoError(t, os.Symlink(binary, link))
	start := func(args []string, env ...string) *process {
		args = append(args, "-name=one", "-zookeeper="+zktest.Shared(t).Addr(), "-zookeeper-root="+zktest.Root(t),
			"-listen-client-urls=http://127.0.0.1:0", "-advertise-client-urls=http://127.0.0.1:2379")
		return startArgs(t, link, nil, args, env...)
	}
	p := start(nil)
	p.await("zkine is ready: ")
	require.NotContains(t, p.text(), serving)
	client := p.await(`serving etcd clients.*address="?([^" \n]+)"?`)
	for _, path := range []string{"/health", "/readyz", "/metrics", "/version"} {
		response, err := http.Get("http://" + client + path)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, http.StatusOK, response.StatusCode, path)
	}
	start([]string{"-listen-metrics-urls", "http://127.0.0.1:0"}).await(serving)
	start(nil, "ZKINE_LISTEN_METRICS_URLS=http://127.0.0.1:0").await(serving)
}
