package server_test

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
)

// muteClient speaks as much of HTTP/2 as is needed to ask. It takes what comes from
// the socket, heeds what that says of the server's room, and never says that it has
// room for more itself. It holds nothing, so that what the process holds is the
// server's.
type muteClient struct {
	conn net.Conn
	out  *bufio.Writer
	next uint32 // stream

	mu      sync.Mutex
	initial int            // room of a stream when it begins
	room    map[uint32]int // of each stream, in bytes
}

func newMuteClient(t *testing.T, addr string) *muteClient {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	c := &muteClient{conn: conn, out: bufio.NewWriter(conn), next: 1, room: map[uint32]int{}}
	greeted, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		c.heed(greeted)
	}()
	t.Cleanup(func() {
		conn.Close()
		<-ended
	})
	_, _ = c.out.WriteString("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
	c.frame(4, 0, 0, nil) // SETTINGS
	c.flush(t)
	<-greeted
	return c
}

// heed reads frames until the connection ends.
func (c *muteClient) heed(greeted chan<- struct{}) {
	in := bufio.NewReader(c.conn)
	for {
		var head [9]byte
		if _, err := io.ReadFull(in, head[:]); err != nil {
			return
		}
		payload := make([]byte, int(head[0])<<16|int(head[1])<<8|int(head[2]))
		if _, err := io.ReadFull(in, payload); err != nil {
			return
		}
		stream := binary.BigEndian.Uint32(head[5:])
		c.mu.Lock()
		switch head[3] {
		case 4: // SETTINGS
			if head[4] == 0 && c.initial == 0 { // no ACK
				c.initial = 65535
			}
			for ; len(payload) >= 6; payload = payload[6:] {
				if binary.BigEndian.Uint16(payload) == 4 { // INITIAL_WINDOW_SIZE
					c.initial = int(binary.BigEndian.Uint32(payload[2:]))
				}
			}
			if c.initial > 0 && greeted != nil {
				close(greeted)
				greeted = nil
			}
		case 8: // WINDOW_UPDATE
			c.room[stream] += int(binary.BigEndian.Uint32(payload))
		}
		c.mu.Unlock()
	}
}

func (c *muteClient) frame(kind, flags byte, stream uint32, payload []byte) {
	head := []byte{0, 0, 0, kind, flags, 0, 0, 0, 0}
	binary.BigEndian.PutUint32(head[5:], stream)
	head[0], head[1], head[2] = byte(len(payload)>>16), byte(len(payload)>>8), byte(len(payload))
	_, _ = c.out.Write(head) // flush says what went wrong
	_, _ = c.out.Write(payload)
}

// call begins a call of gRPC, and returns its stream.
func (c *muteClient) call(path string) uint32 {
	stream := c.next
	c.next += 2
	head := []byte{0x83, 0x86, 0x04, byte(len(path))} // :method POST, :scheme http, :path
	head = append(head, path...)
	head = append(head, 0x01, 1, 'x')                                  // :authority
	head = append(append(head, 0x0f, 0x10, 16), "application/grpc"...) // content-type
	head = append(append(head, 0x00, 2), "te\x08trailers"...)
	c.frame(1, 4, stream, head) // HEADERS, END_HEADERS
	c.mu.Lock()
	defer c.mu.Unlock()
	c.room[stream] += c.initial
	return stream
}

// framed is a message as gRPC has it.
func framed(t *testing.T, m proto.Message) []byte {
	t.Helper()
	data, err := proto.Marshal(m)
	require.NoError(t, err)
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(data))), data...)
}

const endStream = 1

// send sends a message in a frame of its own; false if the server has no room for it.
func (c *muteClient) send(stream uint32, flags byte, message []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.room[stream] < len(message) {
		return false
	}
	c.room[stream] -= len(message)
	c.frame(0, flags, stream, message)
	return true
}

// sendOn sends the same on some streams until the server has had no room for a while.
func (c *muteClient) sendOn(t *testing.T, streams []uint32, message []byte) {
	t.Helper()
	for idle := 0; idle < 20; {
		time.Sleep(10 * time.Millisecond)
		idle++
		for _, stream := range streams {
			for c.send(stream, 0, message) {
				idle = 0
			}
		}
		c.flush(t)
	}
}

// flush has everything sent.
func (c *muteClient) flush(t *testing.T) {
	t.Helper()
	require.NoError(t, c.conn.SetWriteDeadline(time.Now().Add(patience)))
	require.NoError(t, c.out.Flush())
}

const mib = 1 << 20

// memory is what the process uses, in bytes: what is reachable, and stacks.
func memory() int64 {
	runtime.GC()
	runtime.GC() // pools give up what they hold in two steps
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// settled is memory once it does not grow any more.
func settled(t *testing.T) int64 {
	t.Helper()
	last := memory()
	deadline := time.Now().Add(patience)
	for same := 0; same < 5; {
		require.True(t, time.Now().Before(deadline), "memory grows and grows")
		time.Sleep(50 * time.Millisecond)
		now := memory()
		if same++; now > last+last/50 {
			same = 0
		}
		last = now
	}
	return last
}
