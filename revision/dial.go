package revision

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/go-zookeeper/zk"
)

const (
	dialTimeout = time.Second
	// dialStagger is how long a server may keep silent until the next one is
	// asked as well.
	dialStagger = 250 * time.Millisecond
	// redialMin and redialMax bound the pause after a round in which no server
	// gave a session. An election is over within a second or so, and each pause
	// is a time without service after it.
	redialMin = 50 * time.Millisecond
	redialMax = 500 * time.Millisecond
)

// Dial implements Dialer. The first one begins with a random server, so that
// many zkines spread over the ensemble; each later one with the server after
// the one that granted a session last: who dials anew has lost that one, or
// does not trust it. With PreferLeader it begins with the leader; see leader.go.
func (z *ZooKeeper) Dial(ctx context.Context) (Conn, error) {
	conn, server, err := z.dial(ctx, z.leaderOrNext)
	if err != nil {
		return nil, err
	}
	z.last.Store(&grant{server, time.Now()})
	return conn, nil
}

// Bulk is for sessions to which it makes no difference who leads, and which had
// better not burden the leader.
func (z *ZooKeeper) Bulk() Dialer { return bulk{z} }

type bulk struct{ *ZooKeeper }

func (z bulk) Dial(ctx context.Context) (Conn, error) {
	conn, _, err := z.dial(ctx, func(context.Context) int { return z.first() })
	if err != nil {
		return nil, err
	}
	return conn, nil
}

// dial begins each round with the server that first returns, and returns which
// one granted the session.
func (z *ZooKeeper) dial(ctx context.Context, first func(context.Context) int) (*zkConn, int, error) {
	if len(z.Servers) == 0 {
		return nil, 0, errors.New("revision: no ZooKeeper servers given")
	}
	pause := redialMin
	for {
		conn, server, err := z.dialRound(ctx, first(ctx))
		if err == nil {
			return conn, server, nil
		}
		if ctx.Err() != nil {
			return nil, 0, fmt.Errorf("%w (%w)", err, context.Cause(ctx))
		}
		z.Log.WithError(err).Warn("no ZooKeeper server gives a session; trying again")
		select {
		case <-time.After(pause + rand.N(pause)):
		case <-ctx.Done():
			return nil, 0, fmt.Errorf("%w (%w)", err, context.Cause(ctx))
		}
		pause = min(2*pause, redialMax)
	}
}

// errRival says that another server was faster.
var errRival = errors.New("another server granted a session first")

// dialRound asks each server once, the next as soon as the one before has
// refused or kept silent for a while: a server that hangs accepts connections
// and never says a word. The first to grant a session wins.
func (z *ZooKeeper) dialRound(ctx context.Context, first int) (*zkConn, int, error) {
	type result struct {
		server int
		conn   *zkConn
		err    error
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(errRival)
	results := make(chan result, len(z.Servers))
	asked, pending := 0, 0
	ask := func() {
		if asked == len(z.Servers) {
			return
		}
		server := (first + asked) % len(z.Servers)
		asked, pending = asked+1, pending+1
		go func() {
			conn, err := z.dialServer(ctx, z.Servers[server])
			results <- result{server, conn, err}
		}()
	}
	stagger := time.NewTicker(dialStagger)
	defer stagger.Stop()
	var last error
	for ask(); pending > 0; {
		select {
		case r := <-results:
			pending--
			if r.err != nil {
				last = fmt.Errorf("ZooKeeper %s: %w", z.Servers[r.server], r.err)
				ask()
				continue
			}
			z.next.Store(int64(r.server+1)%int64(len(z.Servers)) + 1)
			go func() {
				for range pending {
					if late := <-results; late.err == nil {
						late.conn.Close()
					}
				}
			}()
			return r.conn, r.server, nil
		case <-stagger.C:
			ask()
		}
	}
	return nil, 0, last
}

// first is the server to begin with, whoever leads.
func (z *ZooKeeper) first() int {
	if next := z.next.Load(); next > 0 {
		return int(next - 1)
	}
	return rand.IntN(len(z.Servers))
}

func (z *ZooKeeper) dialServer(ctx context.Context, server string) (*zkConn, error) {
	c := &zkConn{made: make(chan struct{}), up: make(chan struct{}), done: make(chan struct{})}
	conn, _, err := zk.Connect([]string{server}, z.Timeout,
		zk.WithDialer(c.dialOnce(z.Timeout)),
		zk.WithHostProvider(&oneHost{server: server}),
		zk.WithEventCallback(c.onEvent),
		zk.WithLogger(quietLogger{z.Log}), zk.WithLogInfo(false),
		zk.WithMaxBufferSize(max(maxReply, z.MaxRequest+64<<10)), zk.WithMaxConnBufferSize(z.MaxRequest+64<<10))
	if err != nil {
		return nil, err
	}
	c.zk = conn
	close(c.made)
	select {
	case <-c.up:
		return c, nil
	case <-c.done:
		err = c.cause()
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-time.After(z.Timeout):
		err = errors.New("no session granted within the session timeout")
	}
	c.lose(err)
	return nil, err
}
