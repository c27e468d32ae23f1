package clients

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestEtcdctlCheckPerf is etcdctl's own verdict, at its small load: 150 puts a second of 50 clients for a minute, the
// slowest below half a second.
func TestEtcdctlCheckPerf(t *testing.T) {
	slow(t)
	onBoth(t, func(t *testing.T, endpoint string) {
		out := shell(t, endpoint, "etcdctl check perf --load=s --auto-compact --auto-defrag 2>&1 | tr '\\r' '\\n' | grep -v /s")
		t.Log(out)
		require.Contains(t, out, "compacted revision")
		require.Contains(t, out, "Finished defragmenting etcd member["+endpoint+"]")
		require.Contains(t, out, "\nPASS\n")
		require.NotContains(t, out, "FAIL")
		require.Zero(t, count(t, connect(t, endpoint), "/etcdctl-check-perf/"))
	})
}

// TestEtcdctlCheckDatascale puts 10,000 keys and reads on /metrics how much memory that took.
func TestEtcdctlCheckDatascale(t *testing.T) {
	slow(t)
	onBoth(t, func(t *testing.T, endpoint string) {
		out := shell(t, endpoint, "etcdctl check datascale --load=s --auto-compact --auto-defrag 2>&1 | tr '\\r' '\\n'")
		t.Log(out)
		require.Contains(t, out, "PASS: Approximate system memory used :")
		require.NotContains(t, out, "FAIL")
		require.Zero(t, count(t, connect(t, endpoint), "/etcdctl-check-datascale/"))
	})
}
