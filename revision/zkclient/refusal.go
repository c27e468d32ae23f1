package zkclient

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/zkine/zkine/revision/zkclient/transport"
)

// What a server answers may be refused before the client sees it (package
// transport): then the connection is ended, people are told what answers, and the
// address is left alone for a while, since the next answer is most often no
// better.

const (
	// maxData bounds what an answer with a znode's data may hold, in bytes, if
	// requests are smaller. The client keeps an answer twice while it decodes it.
	maxData = 8 << 20
	// maxChildren bounds one that lists children, in bytes: above what ZooKeeper
	// sends with its default jute.maxbuffer. In memory names take several times
	// as much.
	maxChildren = 4 << 20
	// besideData is what a request or an answer may have beside its data, in bytes.
	besideData = 64 << 10
)

// guard is what a connection's guard is to know.
func (c *zkConn) guard() transport.Config {
	z := c.ensemble
	config := transport.Config{Limit: z.Timeout, MaxData: z.maxAnswer(), MaxChildren: maxChildren, Traffic: z.Traffic}
	if len(c.show) > 0 || z.TLS != nil {
		config.Granted = c.introduce
	}
	return config
}

// maxAnswer bounds an answer, in bytes.
func (z *Ensemble) maxAnswer() int { return max(maxData, z.MaxRequest+besideData) }

// refusal is why what the server answered was refused; nil if it was not.
func (c *zkConn) refusal() error {
	if guarded := c.net.Load(); guarded != nil {
		return guarded.Refusal()
	}
	return nil
}

// over is why a session has ended whose connection is lost.
func (c *zkConn) over() error {
	if refusal := c.refusal(); refusal != nil {
		if isRefused(refusal) {
			c.ensemble.refuses(c.address)
		}
		return fmt.Errorf("%w: %w", ErrSessionOver, refusal)
	}
	return ErrSessionOver
}

// isRefused says whether an answer was refused.
func isRefused(err error) bool {
	return errors.Is(err, transport.ErrNotZooKeeper) || errors.Is(err, transport.ErrBadFrame)
}

// refuses notes that an answer of an address was refused.
func (z *Ensemble) refuses(address string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.refused == nil {
		z.refused = map[string]time.Time{}
	}
	z.refused[address] = time.Now()
}

// rest is for how long an address is still left alone.
func (z *Ensemble) rest(address string) time.Duration {
	z.mu.Lock()
	defer z.mu.Unlock()
	at, is := z.refused[address]
	if !is {
		return 0
	}
	left := turnedAway - time.Since(at)
	if left <= 0 {
		delete(z.refused, address)
	}
	return max(left, 0)
}

// refusalOf is why a connection was ended by its guard; nil if it was not.
func refusalOf(conn *timedConn) error {
	if c, ok := conn.conn.(*zkConn); ok {
		return c.refusal()
	}
	return nil
}

// What listens where a ZooKeeper was expected may close, or wait for a question
// that it understands. So an address that does either for a while is asked what
// it is (transport.Probe), now and then.
const (
	// probeAfter is for how long an address must have closed connections.
	probeAfter = 300 * time.Millisecond
	// probeAgain is the time between two such questions.
	probeAgain = time.Minute
)

// probed is what is known of an address that gives no session.
type probed struct {
	due time.Time // when it may be asked
	is  error     // what it is, if that is no ZooKeeper
}

// named returns err, or what is known to answer instead of a ZooKeeper. It may
// have that found out; then the race hears of it. A server that has come through
// a TLS handshake is none of these.
func (r *race) named(ctx context.Context, t target, err error) error {
	if r.z.TLS != nil || !errors.Is(err, errClosesEarly) && !errors.Is(err, errMute) {
		return err
	}
	p, ask := r.z.askWhat(t.address, errors.Is(err, errMute))
	if ask {
		r.group.Go(func() {
			is := transport.Probe(ctx, t.address)
			r.z.learnt(t.address, is)
			if is != nil {
				r.tell(ctx, raceEvent{target: t, err: is})
			}
		})
	}
	if p.is != nil {
		return p.is
	}
	return err
}

// askWhat returns what is known of an address, and whether to ask what it is. One
// that was silent has been so for a while.
func (z *Ensemble) askWhat(address string, silent bool) (known probed, ask bool) {
	z.mu.Lock()
	defer z.mu.Unlock()
	now := time.Now()
	p, is := z.strange[address]
	if !is && !silent {
		p.due = now.Add(probeAfter)
	}
	if ask = !now.Before(p.due); ask {
		p.due = now.Add(probeAgain)
	}
	if z.strange == nil {
		z.strange = map[string]probed{}
	}
	z.strange[address] = p
	return p, ask
}

// learnt keeps what an address was found to be, nil for a ZooKeeper.
func (z *Ensemble) learnt(address string, is error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	if p, asked := z.strange[address]; asked {
		p.is = is
		z.strange[address] = p
	}
}
