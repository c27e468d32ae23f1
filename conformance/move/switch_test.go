package move

import (
	"io"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// junction is an address that leads to one store, and then to another, as a DNS name or a virtual address does.
type junction struct {
	endpoint string // host:port

	mu    sync.Mutex
	to    string
	conns map[net.Conn]bool
}

func newJunction(t testing.TB, to string) *junction {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	j := &junction{endpoint: l.Addr().String(), to: to, conns: map[net.Conn]bool{}}
	var wait sync.WaitGroup
	wait.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			wait.Go(func() { j.carry(client) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		j.lead("")
		wait.Wait()
	})
	return j
}

// lead has new connections go elsewhere, and ends those that there are.
func (j *junction) lead(to string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.to = to
	for c := range j.conns {
		c.Close()
	}
}

// carry carries one connection until either side ends it.
func (j *junction) carry(client net.Conn) {
	defer client.Close()
	j.mu.Lock()
	to := j.to
	j.mu.Unlock()
	server, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer server.Close()
	j.mu.Lock()
	moved := j.to != to
	j.conns[client], j.conns[server] = true, true
	j.mu.Unlock()
	defer func() {
		j.mu.Lock()
		delete(j.conns, client)
		delete(j.conns, server)
		j.mu.Unlock()
	}()
	if moved {
		return
	}
	var both sync.WaitGroup
	for from, to := range map[net.Conn]net.Conn{client: server, server: client} {
		both.Go(func() {
			_, _ = io.Copy(to, from) // the end of one is the end of both
			client.Close()
			server.Close()
		})
	}
	both.Wait()
}
