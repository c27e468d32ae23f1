package zkclient_test

import (
	"encoding/binary"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// behaviour is what an address does with a connection.
type behaviour func(client net.Conn, target string)

// keepsSilent is a server that hangs.
func keepsSilent(client net.Conn, _ string) { io.Copy(io.Discard, client) } //nolint:errcheck // until the client goes

// closes is a server without a quorum.
func closes(client net.Conn, _ string) { client.Close() }

// serves hands all on to a real server.
func serves(client net.Conn, target string) { splice(client, target, func(net.Conn) {}) }

// grantsOnly hands on what makes a session, and swallows every request.
func grantsOnly(client net.Conn, target string) {
	splice(client, target, func(server net.Conn) {
		head := make([]byte, 4)
		if _, err := io.ReadFull(client, head); err != nil {
			return
		}
		server.Write(head)                                             //nolint:errcheck // the other side sees it
		io.CopyN(server, client, int64(binary.BigEndian.Uint32(head))) //nolint:errcheck // likewise
		io.Copy(io.Discard, client)                                    //nolint:errcheck // likewise
	})
}

// splice connects a client with a server; first may handle what it sends first.
func splice(client net.Conn, target string, first func(server net.Conn)) {
	server, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		io.Copy(client, server) //nolint:errcheck // ends with either
		client.Close()
	}()
	first(server)
	io.Copy(server, client) //nolint:errcheck // ends with either
}

// address is a listener whose behaviour can be changed for connections to come.
type address struct {
	net.Listener
	target string
	does   atomic.Pointer[behaviour]
	seen   atomic.Int64
	work   sync.WaitGroup
}

// listenAt listens on host, on a port that other loopback hosts may share.
func listenAt(t *testing.T, host, port, target string, does behaviour) *address {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(host, port))
	require.NoError(t, err)
	a := &address{Listener: l, target: target}
	a.does.Store(&does)
	var mu sync.Mutex
	var open []net.Conn
	a.work.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, conn)
			mu.Unlock()
			a.seen.Add(1)
			a.work.Go(func() {
				defer conn.Close()
				(*a.does.Load())(conn, target)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, conn := range open {
			conn.Close()
		}
		mu.Unlock()
		a.work.Wait()
	})
	return a
}

func (a *address) becomes(does behaviour) { a.does.Store(&does) }

func (a *address) port() string {
	_, port, _ := net.SplitHostPort(a.Addr().String())
	return port
}
