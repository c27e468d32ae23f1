package clients

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/conformance/reference"
)

// inTurn makes a check of a zkine and then of an etcd, while nothing else runs: it is about how fast they are.
func inTurn(t *testing.T, check func(t *testing.T, endpoint string)) {
	t.Helper()
	t.Run("zkine", func(t *testing.T) { check(t, newZkine(t).Endpoint) })
	t.Run("etcd", func(t *testing.T) { check(t, reference.Start(t)) })
}

// TestEtcdctlCheckPerf is etcdctl's own verdict, at its small load: 150 puts a second of 50 clients for a minute, the
// slowest below half a second. A machine that is busy with other things fails it for both.
func TestEtcdctlCheckPerf(t *testing.T) {
	slow(t)
	inTurn(t, func(t *testing.T, endpoint string) {
		out := shell(t, endpoint, "etcdctl check perf --load=s --auto-compact --auto-defrag 2>&1 | tr '\\r' '\\n' | sed 's/.*Compacted/Compacted/' | grep '^[A-Z]'")
		t.Log(out)
		require.Contains(t, out, "Compacted with revision")
		require.Contains(t, out, fmt.Sprintf("Defragmented %q", endpoint))
		require.Contains(t, out, "\nPASS\n")
		require.NotContains(t, out, "FAIL")
		require.Zero(t, count(t, connect(t, endpoint), "/etcdctl-check-perf/"))
	})
}

// TestEtcdctlCheckDatascale puts 10,000 keys and reads on /metrics how much memory that took.
func TestEtcdctlCheckDatascale(t *testing.T) {
	slow(t)
	inTurn(t, func(t *testing.T, endpoint string) {
		out := shell(t, endpoint, "etcdctl check datascale --load=s --auto-compact --auto-defrag 2>&1 | tr '\\r' '\\n'")
		t.Log(out)
		require.Contains(t, out, "PASS: Approximate system memory used :")
		require.NotContains(t, out, "FAIL")
		require.Zero(t, count(t, connect(t, endpoint), "/etcdctl-check-datascale/"))
	})
}
