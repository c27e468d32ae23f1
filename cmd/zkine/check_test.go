package main

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWrongFlags(t *testing.T) {
	for _, c := range []struct{ arg, want string }{
		{"--zookeeper=", `--zookeeper: no server is named — write it like zk1:2181,zk2:2181,zk3:2181, or leave the flag out for a local ZooKeeper`},
		{"--zookeeper=a:b", `--zookeeper: "a:b" is not host:port — write it like zk1:2181,zk2:2181,zk3:2181`},
		{"--zookeeper=a:1,b:70000", `--zookeeper: "b:70000" has a port that cannot be — choose from 1 to 65535; ZooKeeper's is 2181`},
		{"--zookeeper=a:2181,:2181", `--zookeeper: ":2181" names no host — write it like zk1:2181,zk2:2181,zk3:2181`},
		{"--zookeeper=a:1/kube", `--zookeeper: "a:1/kube" has a path — write a:1, and --zookeeper-root=/kube`},
		{"--zookeeper-root=/", `--zookeeper-root: "/" is not a path like /zkine — name a znode like /zkine`},
		{"--zookeeper-root=/zookeeper/x", `--zookeeper-root: "/zookeeper/x" belongs to ZooKeeper itself — name a znode like /zkine`},
		{"--zookeeper-session-timeout=1ms", `--zookeeper-session-timeout: 1ms is out of bounds — choose from 1s to 10m0s`},
		{"--max-zookeeper-request=1", `--max-zookeeper-request: 1 bytes is out of bounds — choose from 65536 bytes to 67108864 bytes`},
		{"--data-dir=", `--data-dir: no folder is named — write one like ./zkine-data`},
		{"--name=a/b", `--name: "a/b" cannot name a znode — use letters, digits and dashes`},
		{"--name=..", `--name: ".." cannot name a znode — use letters, digits and dashes`},
		{"--listen-client-urls=", `--listen-client-urls: no URL is named — write one like http://127.0.0.1:2379`},
		{"--listen-client-urls=127.0.0.1:2379", `--listen-client-urls: "127.0.0.1:2379" is not a URL — write URLs like http://127.0.0.1:2379 or unix:///run/zkine.sock`},
		{"--listen-client-urls=https://127.0.0.1:2379", `--cert-file: no certificate is named for https://127.0.0.1:2379 — name its PEM file, and the key's with --key-file`},
		{"--listen-client-urls=ftp://127.0.0.1:2379", `--listen-client-urls: "ftp://127.0.0.1:2379" begins with none of http://, https://, unix://, unixs:// — write URLs like http://127.0.0.1:2379 or unix:///run/zkine.sock`},
		{"--listen-client-urls=http://127.0.0.1", `--listen-client-urls: "http://127.0.0.1" has no host and port — write URLs like http://127.0.0.1:2379 or unix:///run/zkine.sock`},
		{"--advertise-client-urls=http://a:1/x", `--advertise-client-urls: "http://a:1/x" has a path — write URLs like http://127.0.0.1:2379 or unix:///run/zkine.sock`},
		{"--listen-metrics-urls=unix://", `--listen-metrics-urls: "unix://" names no socket — write URLs like http://127.0.0.1:2379 or unix:///run/zkine.sock`},
		{"--max-request-bytes=0", `--max-request-bytes: 0 bytes is out of bounds — choose from 1 bytes to 536870912 bytes`},
		{"--max-txn-ops=-1", `--max-txn-ops: -1 is out of bounds — choose from 1 to 1048576`},
		{"--auto-compaction-mode=sometimes", `--auto-compaction-mode: "sometimes" is not known — choose one of periodic, revision`},
		{"--auto-compaction-retention=often", `--auto-compaction-retention: "often" is not a time — write it like 1h or 30m, or 0 for no automatic compaction`},
		{"--watch-progress-notify-interval=0s", `--watch-progress-notify-interval: 0s is out of bounds — choose from 100ms to 24h0m0s`},
		{"--auth-token=paper", `--auth-token: this token type is not known — write simple or jwt,sign-method=RS256,priv-key=file`},
		{"--auth-token=jwt,sign-method=RS256,priv-key=/nowhere", `--auth-token: open /nowhere: no such file or directory — write it like simple or jwt,sign-method=RS256,priv-key=file`},
		{"--auth-token-ttl=0", `--auth-token-ttl: 0 is out of bounds — choose from 1 to 2147483648`},
		{"--bcrypt-cost=40", `--bcrypt-cost: 40 is out of bounds — choose from 4 to 31`},
		{"--log-segment-slots=0", `--log-segment-slots: 0 is out of bounds — choose from 1 to 16384`},
		{"--log-segment-bytes=0", `--log-segment-bytes: 0 bytes is out of bounds — choose from 1 bytes to 1073741824 bytes`},
		{"--checkpoint-log-bytes=-1", `--checkpoint-log-bytes: -1 bytes is out of bounds — choose from 1 bytes to 1073741824 bytes`},
		{"--log-level=loud", `--log-level: "loud" is not known — choose one of debug, info, warn, error, panic, fatal`},
	} {
		flags, cfg := newFlags(t, c.arg)
		err := cfg.check(flags, nil)
		require.EqualError(t, err, c.want, c.arg)
		require.True(t, explain(err).usage)
	}
}

func TestDefaults(t *testing.T) {
	flags, cfg := newFlags(t)
	require.NoError(t, cfg.check(flags, nil))
	host, err := os.Hostname()
	require.NoError(t, err)
	require.Equal(t, host, cfg.name)
	require.Empty(t, cfg.zookeeper)
	require.Equal(t, []string{"http://127.0.0.1:2379"}, cfg.clientURLs)
	require.Equal(t, []string{"http://127.0.0.1:2381"}, cfg.metricsURLs)
}

func TestServersAndURLsAreTidied(t *testing.T) {
	flags, cfg := newFlags(t, "--zookeeper=zk1, zk2:2182,[::1],[::1]:2183", "--listen-client-urls=http://127.0.0.1:1, unix://relative", "--listen-metrics-urls=")
	require.NoError(t, cfg.check(flags, nil))
	require.Equal(t, []string{"zk1:2181", "zk2:2182", "[::1]:2181", "[::1]:2183"}, cfg.zookeeper)
	require.Equal(t, []string{"http://127.0.0.1:1", "unix://relative"}, cfg.clientURLs)
	require.Empty(t, cfg.metricsURLs)
}

func TestMemberIDsAreStable(t *testing.T) {
	require.Equal(t, memberID(1, "a"), memberID(1, "a"))
	require.NotEqual(t, memberID(1, "a"), memberID(1, "b"))
	require.NotEqual(t, memberID(1, "a"), memberID(2, "a"))
	// An id that changes with a release would look like another member.
	require.Equal(t, uint64(0xd2f1ccf984aad0de), memberID(0x1234, "zkine-0"))
}
