package transport

import (
	"io"
	"maps"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// TestTrafficCounts: each request and each event is counted once, over all
// connections that share a Traffic.
func TestTrafficCounts(t *testing.T) {
	traffic := new(Traffic)
	for range 2 {
		owed := requests{traffic: traffic}
		for at, opcode := range []int32{0, opMulti, opMulti, opMultiRead, opGetData, opExists, opGetChildren2, opSetAuth} {
			require.NoError(t, owed.note(asks(int32(at), opcode, 50))) // the first is the connect request
		}
		require.NoError(t, owed.note(asks(xidPing, opPing, 8)))
		_, ok := owed.take(xidEvent)
		require.True(t, ok)
	}
	require.Equal(t, map[string]int64{"multi": 4, "multiRead": 2, "getData": 2, "exists": 2, "getChildren": 2, "ping": 2, "other": 2},
		maps.Collect(traffic.Requests()))
	require.EqualValues(t, 2, traffic.Events())
}

// TestTrafficIsOptional: a guard without one counts nothing.
func TestTrafficIsOptional(t *testing.T) {
	g := behind(t, &wire{Reader: iotest.ErrReader(io.EOF)}, someBounds)
	require.NoError(t, g.owed.note(asks(1, opMulti, 50)))
	_, ok := g.owed.take(xidEvent)
	require.True(t, ok)
}
