package server

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// websocketGrace is how long a websocket may take, once the server has stopped, to
// send what is left to be sent.
const websocketGrace = time.Second

// httpCalls are the HTTP requests under way. A http.Server does not wait for those
// that it cuts off, nor for connections that have become websockets.
type httpCalls struct {
	// base is what the contexts of all requests come from, and cut ends it. A
	// request of which a part is missing does not end with its connection.
	base context.Context
	cut  context.CancelFunc

	mu       sync.Mutex
	ended    bool
	sockets  map[net.Conn]struct{}
	underWay sync.WaitGroup
}

func newHTTPCalls() *httpCalls {
	c := &httpCalls{}
	c.base, c.cut = context.WithCancel(context.Background())
	return c
}

// baseContext is for http.Server.BaseContext.
func (c *httpCalls) baseContext(net.Listener) context.Context { return c.base }

// connKey is the key of a request's connection in its context.
type connKey struct{}

// withConn has the requests of a connection know it; for http.Server.ConnContext.
func withConn(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, conn)
}

// counted is a handler whose requests are counted.
func (c *httpCalls) counted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var socket net.Conn
		if websocket.IsWebSocketUpgrade(r) {
			socket, _ = r.Context().Value(connKey{}).(net.Conn)
		}
		if !c.begin(socket) {
			http.Error(w, "zkine is stopping", http.StatusServiceUnavailable)
			return
		}
		defer c.end(socket)
		next.ServeHTTP(w, r)
	})
}

// begin counts a request in, with its connection if that becomes a websocket; false
// once the server has stopped.
func (c *httpCalls) begin(socket net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return false
	}
	if socket != nil {
		if c.sockets == nil {
			c.sockets = make(map[net.Conn]struct{})
		}
		c.sockets[socket] = struct{}{}
	}
	c.underWay.Add(1)
	return true
}

func (c *httpCalls) end(socket net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.sockets, socket)
	c.underWay.Done()
}

// stop returns when no request is under way. It is called when what they wait for
// has ended. Websockets, and what else is left then, are cut off when ctx ends, and
// after websocketGrace at the latest.
func (c *httpCalls) stop(ctx context.Context) {
	c.mu.Lock()
	c.ended = true
	c.mu.Unlock()
	over := make(chan struct{})
	go func() {
		defer close(over)
		c.underWay.Wait()
	}()
	grace := time.NewTimer(websocketGrace)
	defer grace.Stop()
	select {
	case <-over:
	case <-grace.C:
	case <-ctx.Done():
	}
	c.cut()
	c.mu.Lock()
	for socket := range c.sockets {
		socket.Close()
	}
	c.mu.Unlock()
	<-over
}
