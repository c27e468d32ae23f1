package monitoring

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision/zktest"
)

// TestAZkineIsTurnedAway has a zkine find, where its ZooKeeper was, one that lets nobody in without a credential.
func TestAZkineIsTurnedAway(t *testing.T) {
	needsAll(t)
	demanding := zktest.Start(t, zktest.WithProperty("enforce.auth.enabled", "true"), zktest.WithProperty("enforce.auth.schemes", "digest"))
	way := newWay(t, zktest.Shared(t).Addr())
	w := newWorld(t, way.address(), 1)
	w.minutes(10, w.work)
	w.hasBeenQuiet()
	way.lead(demanding.Addr())
	refused := func() float64 {
		return scrape(t, w.zkines[0].Metrics).Samples[`zkine_zookeeper_session_events_total{event="refused"}`]
	}
	w.minutes(7, func(context.Context) {
		before := refused()
		require.Eventually(t, func() bool { return refused() > before }, patience, 10*time.Millisecond)
	})
	w.amongThem([]string{"ZkineIsTurnedAway"}, nil)
}

// way is an address that leads to one server after another.
type way struct {
	listener net.Listener
	mu       sync.Mutex
	to       string
	open     []net.Conn
}

func newWay(t *testing.T, to string) *way {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	w := &way{listener: listener, to: to}
	t.Cleanup(func() {
		listener.Close()
		w.lead("")
	})
	go w.serve()
	return w
}

func (w *way) address() string { return w.listener.Addr().String() }

// lead ends all connections; new ones go to another server.
func (w *way) lead(to string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.to = to
	for _, conn := range w.open {
		conn.Close()
	}
	w.open = nil
}

func (w *way) serve() {
	for {
		client, err := w.listener.Accept()
		if err != nil {
			return
		}
		w.join(client)
	}
}

func (w *way) join(client net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	server, err := net.Dial("tcp", w.to)
	if err != nil {
		client.Close()
		return
	}
	w.open = append(w.open, client, server)
	for _, ends := range [][2]net.Conn{{client, server}, {server, client}} {
		go func() {
			_, _ = io.Copy(ends[0], ends[1]) // it ends with either connection
			ends[0].Close()
		}()
	}
}
