package zkclient

import (
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"
)

// opClose is the opcode of the request that ends a session (ZooDefs.OpCode).
const opClose = -11

// granting is a server that grants one session, and hands what comes after to
// serve, which owns the connection.
func granting(t *testing.T, serve func(client net.Conn)) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan struct{})
	go func() {
		defer close(served)
		client, err := listener.Accept()
		if err != nil {
			return
		}
		defer client.Close()
		if length, err := readInt32(client); err != nil || skip(client, length) != nil {
			return
		}
		answer := make([]byte, 4+36)
		binary.BigEndian.PutUint32(answer, 36)
		binary.BigEndian.PutUint32(answer[8:], uint32(longSession/time.Millisecond))
		binary.BigEndian.PutUint64(answer[12:], 1) // the session's id
		binary.BigEndian.PutUint32(answer[20:], 16)
		if _, err := client.Write(answer); err == nil {
			serve(client)
		}
	}()
	t.Cleanup(func() { listener.Close(); <-served })
	return listener.Addr().String()
}

// longSession is a session timeout that no test here may have to wait for.
const longSession = 20 * time.Second

func readInt32(r io.Reader) (int32, error) {
	var b [4]byte
	_, err := io.ReadFull(r, b[:])
	return int32(binary.BigEndian.Uint32(b[:])), err
}

func skip(r io.Reader, n int32) error {
	_, err := io.CopyN(io.Discard, r, int64(n))
	return err
}

// granted asks a server for a session, and waits for it.
func granted(t *testing.T, address string) *zkConn {
	t.Helper()
	log := logrus.New()
	log.SetLevel(logrus.PanicLevel)
	z := &Ensemble{Timeout: longSession, MaxRequest: 2 * largeWrite, Log: logrus.NewEntry(log)}
	c, err := z.begin(target{address: address, label: address})
	require.NoError(t, err)
	select {
	case <-c.up:
	case <-time.After(longSession):
		require.FailNow(t, "no session was granted")
	}
	return c
}

// largeWrite is more than the buffers of a connection take, in bytes.
const largeWrite = 12 << 20

// TestAWriteUnderWayEndsBeforeTheSession: a session whose client is writing when
// it is closed is ended by the server, with its ephemeral znodes. The client
// gives that a second, which a loaded machine may need for the write.
func TestAWriteUnderWayEndsBeforeTheSession(t *testing.T) {
	const attempts = 5
	for range attempts {
		begun, goOn, heard := make(chan struct{}), make(chan struct{}), make(chan bool, 1)
		c := granted(t, granting(t, func(client net.Conn) {
			defer close(heard)
			length, err := readInt32(client)
			if err != nil {
				return
			}
			close(begun)
			<-goOn
			if skip(client, length) != nil {
				return
			}
			var head [12]byte // length, xid, opcode
			if _, err := io.ReadFull(client, head[:]); err == nil {
				heard <- int32(binary.BigEndian.Uint32(head[8:])) == opClose
			}
		}))
		called := make(chan error, 1)
		go func() {
			_, err := c.Multi(t.Context(), CreateOp("/large", make([]byte, largeWrite)))
			called <- err
		}()
		<-begun
		closed := make(chan struct{})
		go func() {
			defer close(closed)
			c.Close()
		}()
		require.Error(t, <-called)
		close(goOn)
		<-closed
		if <-heard {
			return
		}
	}
	require.FailNow(t, "the server was never told that the session is over")
}

// TestCloseDoesNotWaitForAClientThatLocksUp: a request that the client answers
// as it is closed, and again as its write fails, and once more as it winds up,
// blocks its goroutine for good.
func TestCloseDoesNotWaitForAClientThatLocksUp(t *testing.T) {
	c := granted(t, granting(t, func(client net.Conn) { io.Copy(io.Discard, client) })) //nolint:errcheck // until the client goes
	c.events = make(chan zk.Event)                                                      // never closed
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		c.Close()
	}()
	select {
	case <-closed:
	case <-time.After(longSession):
		require.FailNow(t, "Close hangs")
	}
}
