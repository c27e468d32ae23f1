package listener

import (
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestResumedReads(t *testing.T) {
	near, far := net.Pipe()
	defer near.Close()
	go func() { io.WriteString(far, "defgh"); far.Close() }()
	conn := NewConnections(1, "clients", nil).admit(near).resume([]byte("abc"))
	text, err := io.ReadAll(iotestOneByte{conn})
	require.NoError(t, err)
	require.Equal(t, "abcdefgh", string(text))
}

// iotestOneByte reads byte by byte.
type iotestOneByte struct{ io.Reader }

func (r iotestOneByte) Read(b []byte) (int, error) { return r.Reader.Read(b[:min(1, len(b))]) }
