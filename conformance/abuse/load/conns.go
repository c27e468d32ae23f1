package load

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"syscall"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"golang.org/x/net/http2"
)

const (
	// idleCount is how many connections only exist.
	idleCount = 10_000
	// spareFiles are descriptors that the process of a load needs besides its connections.
	spareFiles = 200
	// prefaceCount is how many connections say the preface of HTTP/2, and no more.
	prefaceCount = 300
	// halfOpenCount is how many handshakes are begun.
	halfOpenCount = 1000
	// dialers is how many connections are being made at a time.
	dialers = 20
)

// crowd makes connections, has each say something, and holds them until ctx ends. One that the server ends is not made
// again.
func crowd(ctx context.Context, t *Tally, address string, count int, greet func(net.Conn) error) error {
	var mu sync.Mutex
	var open []net.Conn
	defer func() {
		for _, c := range open {
			c.Close()
		}
	}()
	next := make(chan struct{}, count)
	for range count {
		next <- struct{}{}
	}
	close(next)
	err := workers(ctx, dialers, func(ctx context.Context, _ int) error {
		for range next {
			if ctx.Err() != nil {
				return nil
			}
			conn, err := dial(ctx, address)
			if err == nil {
				err = greet(conn)
			}
			if err != nil {
				t.add("refused", 1)
				continue
			}
			t.add("opened", 1)
			mu.Lock()
			open = append(open, conn)
			mu.Unlock()
		}
		return nil
	})
	if err != nil {
		return err
	}
	<-ctx.Done()
	for _, c := range open {
		if ended(c) {
			t.add("ended by the server", 1)
		}
	}
	return nil
}

// ended says whether the server has ended a connection; what it said before is read.
func ended(c net.Conn) (is bool) {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return false
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return true
	}
	buffer := make([]byte, 4096)
	_ = raw.Read(func(fd uintptr) bool { // what it returns is known by then
		for {
			n, _, err := syscall.Recvfrom(int(fd), buffer, syscall.MSG_DONTWAIT)
			if n <= 0 {
				is = !errors.Is(err, syscall.EAGAIN)
				return true
			}
		}
	})
	return is
}

// allFiles lets this process have as many descriptors as the system allows, and returns how many that is.
func allFiles() (int, error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, err
	}
	limit.Cur = limit.Max
	return int(min(limit.Max, 1<<30)), syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
}

// idleConnections holds connections on which nothing is ever said.
func idleConnections(ctx context.Context, j Job, t *Tally) error {
	files, err := allFiles()
	if err != nil {
		return err
	}
	return crowd(ctx, t, j.Client, min(idleCount, files-spareFiles), func(net.Conn) error { return nil })
}

// prefaceOnly holds connections that say what each HTTP/2 connection begins with, without the settings that follow.
func prefaceOnly(ctx context.Context, j Job, t *Tally) error {
	return crowd(ctx, t, j.Client, prefaceCount, func(c net.Conn) error {
		_, err := c.Write([]byte(http2.ClientPreface))
		return err
	})
}

// tlsHalfOpen holds connections to the TLS port: half of them silent, half with a handshake of which the client has
// sent its first message.
func tlsHalfOpen(ctx context.Context, j Job, t *Tally) error {
	var mu sync.Mutex
	turn := 0
	return crowd(ctx, t, j.TLS, halfOpenCount, func(c net.Conn) error {
		mu.Lock()
		turn++
		silent := turn%2 == 0
		mu.Unlock()
		if silent {
			return nil
		}
		deaf := &deafConn{Conn: c}
		// It ends with what the first read returns, after it has sent its hello.
		err := tls.Client(deaf, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}).HandshakeContext(ctx)
		if deaf.heard {
			return nil
		}
		return err
	})
}

// deafConn is a connection whose client does not read.
type deafConn struct {
	net.Conn
	heard bool // it should have read
}

// Read ends.
func (c *deafConn) Read([]byte) (int, error) {
	c.heard = true
	return 0, errors.New("this client reads nothing")
}

// Close leaves it open.
func (c *deafConn) Close() error { return nil }

// reconnects makes connections and ends them: one in four after a call, the others at once.
func reconnects(ctx context.Context, j Job, t *Tally) error {
	return workers(ctx, dialers, func(ctx context.Context, i int) error {
		for turn := i; pause(ctx, 10*time.Millisecond); turn++ {
			if turn%4 != 0 {
				conn, err := dial(ctx, j.Client)
				if err != nil {
					t.add("refused", 1)
					continue
				}
				conn.Close()
				t.add("opened", 1)
				continue
			}
			conn, err := dialGRPC(j)
			if err != nil {
				return err
			}
			_, err = pb.NewKVClient(conn).Range(ctx, &pb.RangeRequest{Key: []byte("a"), Serializable: true})
			answered(ctx, t, err)
			conn.Close()
		}
		return nil
	})
}
