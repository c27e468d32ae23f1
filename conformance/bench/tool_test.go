package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/conformance/bench/load"
)

const toolOutput = `
 2000 / 2000 [-----------] 100.00% 1873 p/s

Summary:
  Total:	1.0677 secs.
  Slowest:	0.0111 secs.
  Fastest:	0.0002 secs.
  Average:	0.0005 secs.
  Stddev:	0.0004 secs.
  Requests/sec:	1873.2104

Response time histogram:
  0.0002 [1]	|
  0.0013 [1957]	|∎∎∎∎

Latency distribution:
  10% in 0.0003 secs.
  25% in 0.0003 secs.
  50% in 0.0004 secs.
  75% in 0.0006 secs.
  90% in 0.0008 secs.
  95% in 0.0010 secs.
  99% in 0.0019 secs.
  99.9% in 0.0050 secs.
`

func TestReadEtcdsBenchmark(t *testing.T) {
	r, err := readTool([]byte(toolOutput), 2000)
	require.NoError(t, err)
	require.EqualValues(t, 2000, r.Ops)
	require.InDelta(t, 1.0677, r.Seconds, 0.001)
	require.InDeltaMapValues(t, map[string]float64{"50": 0.4, "90": 0.8, "99": 1.9, "99.9": 5},
		map[string]float64{"50": r.Latency.P50, "90": r.Latency.P90, "99": r.Latency.P99, "99.9": r.Latency.P999}, 1e-9)

	_, err = readTool([]byte(toolOutput+"\nError distribution:\n  [3]	etcdserver: too many requests.\n"), 2000)
	require.ErrorContains(t, err, "refused")
	r, err = readTool([]byte("Usage:"), 2000)
	require.ErrorContains(t, err, "Requests/sec")
	require.Equal(t, load.Result{}, r)
}
