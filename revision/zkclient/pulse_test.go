package zkclient

import (
	"context"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"
)

// pendingConn answers reads when the test lets it.
type pendingConn struct {
	Conn
	answers chan error
}

func (c *pendingConn) Get(ctx context.Context, _ string) ([]byte, *zk.Stat, error) {
	select {
	case err := <-c.answers:
		return nil, nil, err
	case <-ctx.Done():
		return nil, nil, context.Cause(ctx)
	}
}

// What is owed is counted from the first question after the last answer, also
// when nobody waits for it any more.
func TestOwing(t *testing.T) {
	held := &pendingConn{answers: make(chan error)}
	c := newTimedConn(held, nil)
	require.Zero(t, c.owing())
	ask := func(ctx context.Context) (done chan struct{}) {
		before := c.asks()
		done = make(chan struct{})
		go func() {
			defer close(done)
			c.Get(ctx, "/x") //nolint:errcheck // what matters is when
		}()
		require.Eventually(t, func() bool { return c.asks() > before }, 10*time.Second, time.Millisecond)
		return done
	}
	owes := func() bool { return c.owing() > 0 }

	first := ask(t.Context())
	require.Eventually(t, owes, 10*time.Second, time.Millisecond)
	require.Equal(t, pulseAfter, c.quietIn(), "it has been asked")
	second := ask(t.Context())
	longest := c.owing()
	held.answers <- nil
	held.answers <- zk.ErrNoNode // an answer as good as any
	<-first
	<-second
	require.Zero(t, c.owing(), "after %v", longest)

	given, cancel := context.WithCancel(t.Context())
	third := ask(given)
	cancel()
	<-third
	require.True(t, owes(), "a call that was given up is not answered")
	require.LessOrEqual(t, c.quietIn(), pulseAfter)
	require.Eventually(t, func() bool { return c.quietIn() <= 0 }, 10*time.Second, time.Millisecond, "so it is time to ask again")
	fourth := ask(t.Context())
	require.Greater(t, c.owing(), pulseAfter)
	held.answers <- nil
	<-fourth
	require.False(t, owes())
	fifth := ask(t.Context())
	held.answers <- zk.ErrConnectionClosed
	<-fifth
	require.True(t, owes(), "a lost connection is no answer")
}

// asks counts the calls so far.
func (c *timedConn) asks() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}
