package transport

import (
	"encoding/binary"
	"io"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestNoAllocation: small replies cost next to nothing.
func TestNoAllocation(t *testing.T) {
	g, exchange := smallExchange(t)
	require.Zero(t, testing.AllocsPerRun(1000, exchange))
	require.NoError(t, g.Err())
}

// BenchmarkSmallReply is a request and its reply, without the system's part. The
// processor's time tells more than the clock's on a machine that is loaded.
func BenchmarkSmallReply(b *testing.B) {
	g, exchange := smallExchange(b)
	before := processorTime(b)
	for b.Loop() {
		exchange()
	}
	b.ReportMetric(float64(processorTime(b)-before)/float64(b.N), "cpu-ns/op")
	require.NoError(b, g.Err())
}

// processorTime is what this process has used of it.
func processorTime(t testing.TB) time.Duration {
	var usage syscall.Rusage
	require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// smallExchange is a guard, and what sends it an append and reads the reply.
func smallExchange(t testing.TB) (*Guard, func()) {
	w := &echo{reply: multi(result(opCheck), result(opSetData).stat(), result(opCreate).string("/zkine/log/17-abc/s-0000000001")).frame()}
	g := behind(t, &wire{Reader: iotest.ErrReader(io.EOF)}, someBounds)
	g.Conn = &wire{Reader: w}
	request, buf := asks(xid, opMulti, 500), make([]byte, 1<<10)
	return g, func() {
		g.owed.note(request) //nolint:errcheck // it is a request
		w.left = w.reply
		io.ReadFull(g, buf[:4])                            //nolint:errcheck // Err is looked at
		io.ReadFull(g, buf[:binary.BigEndian.Uint32(buf)]) //nolint:errcheck // likewise
	}
}

// echo says the same again and again.
type echo struct{ reply, left []byte }

func (e *echo) Read(p []byte) (int, error) {
	if len(e.left) == 0 {
		return 0, io.EOF
	}
	n := copy(p, e.left)
	e.left = e.left[n:]
	return n, nil
}
