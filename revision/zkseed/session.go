package zkseed

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/go-zookeeper/zk"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zkclient"
)

// session is the connection that is in use; a lost one is replaced.
type session struct {
	dialer zkclient.Dialer
	pause  zkclient.Backoff

	mu   sync.Mutex
	conn zkclient.Conn // nil if there is none
}

// get is the connection, or a new one.
func (s *session) get(ctx context.Context) (zkclient.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil {
		select {
		case <-s.conn.Done():
			s.conn.Close()
			s.conn = nil
		default:
			return s.conn, nil
		}
	}
	conn, err := s.dialer.Dial(ctx)
	if err == nil {
		s.conn = conn
	}
	return conn, err
}

func (s *session) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil {
		s.conn.Close()
	}
}

// retire gives a connection up, unless that was done.
func (s *session) retire(conn zkclient.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == conn {
		conn.Close()
		s.conn = nil
	}
}

// do runs f until it passes, or fails for good: what f does is the same each time, so
// that it does not matter whether an earlier try took effect.
func (s *session) do(ctx context.Context, f func(zkclient.Conn) error) error {
	for {
		conn, err := s.get(ctx)
		if err != nil {
			return err
		}
		err = f(conn)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		code := zkclient.CodeOf(err)
		switch {
		case errors.Is(err, zk.ErrShortBuffer):
			return fmt.Errorf("%w: %w", revision.ErrTooLarge, err)
		case errors.Is(err, errSmaller), errors.Is(err, ErrNotEmpty), errors.Is(err, ErrOvertaken), revision.Fatal(err):
			return err
		case code == nil && zkclient.Definite(err):
			return err
		case code != nil && code.Does == zkclient.Retry:
			s.pause.Wait(ctx)
		case code != nil && code.Does != zkclient.Redial:
			return err
		default:
			s.retire(conn)
			s.pause.Wait(ctx)
		}
	}
}
