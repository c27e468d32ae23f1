package zkclient

import (
	"bytes"
	"encoding/binary"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// pouring is a connection on which bytes come in pieces.
type pouring struct {
	net.Conn
	data  *bytes.Reader
	piece int
}

func (p *pouring) Read(b []byte) (int, error) { return p.data.Read(b[:min(len(b), p.piece)]) }

// FuzzHandshake reads a server's first answer, of which the session timeout is
// taken, in pieces of any size, and passes every byte on.
func FuzzHandshake(f *testing.F) {
	answer := []byte{0, 0, 0, 37, 0, 0, 0, 0, 0, 0, 0x27, 0x10, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 16}
	for i := range answer { // each prefix, and each bit flipped
		f.Add(answer[:i], 5)
		for bit := range 8 {
			flipped := bytes.Clone(answer)
			flipped[i] ^= 1 << bit
			f.Add(flipped, 5)
		}
	}
	f.Add(answer, 5)
	f.Fuzz(func(t *testing.T, data []byte, piece int) {
		var granted atomic.Int64
		c := newCappedConn(&pouring{data: bytes.NewReader(data), piece: max(piece, 1)}, time.Second, &granted)
		var got []byte
		for buf := make([]byte, 16); ; {
			n, err := c.Read(buf)
			got = append(got, buf[:n]...)
			if err != nil {
				break
			}
		}
		require.True(t, bytes.Equal(data, got))
		want := int64(0)
		if len(data) >= handshakeHead {
			want = int64(int32(binary.BigEndian.Uint32(data[8:])))
		}
		require.Equal(t, want, granted.Load())
	})
}
