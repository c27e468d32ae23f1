package zkclient

import (
	"context"
	"errors"
	"time"

	"github.com/zkine/zkine/revision/zkclient/measured"
)

// contender is one address in a race.
type contender struct {
	target target
	cancel context.CancelFunc
	now    chan struct{} // has room for one: do not pause
}

const (
	// retryMin and retryMax bound the pause after a server has refused. Each
	// pause is a time without service after an election.
	retryMin = 50 * time.Millisecond
	retryMax = 400 * time.Millisecond
	// askAgain is after how long a server that keeps silent is asked once more,
	// beside: what it was sent may be lost on a link that is up again.
	askAgain = 500 * time.Millisecond
	// turnedAway is the pause after a server has answered, and closed: what it
	// does not like is not over soon, and each session costs the ensemble writes,
	// each handshake processor time.
	turnedAway = 3 * time.Second
)

// hurry lets it ask at once.
func (c *contender) hurry() {
	select {
	case c.now <- struct{}{}:
	default:
	}
}

// contend asks one address for a session, again and again, until ctx ends.
func (r *race) contend(ctx context.Context, c *contender) {
	for pause := retryMin; ctx.Err() == nil; pause = min(2*pause, retryMax) {
		wait := r.z.rest(c.target.address)
		if wait == 0 {
			wait = pause
			if err := r.ask(ctx, c); errors.Is(err, errTurnsAway) || errors.Is(err, ErrTLS) || isRefused(err) {
				wait = turnedAway
				r.z.Measured.Note(measured.Refused)
			}
		}
		select {
		case <-time.After(jitter(nil, wait)):
		case <-c.now:
		case <-ctx.Done():
		}
	}
}

// ask asks a server once, and returns when and why that has failed. A server
// that keeps silent may be slow, and is waited for; but what it was sent may also
// be lost. So it is asked once more at times, on at most two connections at once.
func (r *race) ask(ctx context.Context, c *contender) error {
	first, failed := r.try(ctx, c.target, r.z.Timeout)
	for {
		select {
		case err := <-failed:
			return err
		case <-ctx.Done():
			return nil
		case <-c.now:
		case <-time.After(jitter(nil, r.z.askAgain())):
		}
		if first != nil {
			r.tell(ctx, raceEvent{target: c.target, err: r.named(ctx, c.target, first.silent())})
		}
		r.try(ctx, c.target, r.z.askAgain()*3/4)
	}
}

// try begins one connection, which is told of once it is proven or has failed;
// then failed says why.
func (r *race) try(ctx context.Context, t target, limit time.Duration) (conn *zkConn, failed <-chan error) {
	ended := make(chan error, 1)
	conn, err := r.z.begin(t)
	if err != nil {
		ended <- err
		r.tell(ctx, raceEvent{target: t, err: err})
		return nil, ended
	}
	r.group.Go(func() {
		tryCtx, cancel := context.WithTimeoutCause(ctx, limit, errSilent)
		defer cancel()
		err := conn.prove(tryCtx)
		if err == nil {
			r.z.mu.Lock()
			r.z.began = t.address
			delete(r.z.strange, t.address)
			r.z.mu.Unlock()
			if !r.tell(ctx, raceEvent{target: t, conn: conn}) {
				conn.Close()
				return
			}
			select { // the race is over, or holds it
			case <-conn.Done():
				ended <- conn.cause()
				<-conn.ended
			case <-ctx.Done():
			}
			return
		}
		silence := conn.silent()
		conn.lose(err)
		if errors.Is(err, errSilent) {
			err = silence
		}
		if ctx.Err() == nil {
			err = r.named(ctx, t, err)
		}
		ended <- err
		if ctx.Err() == nil {
			r.tell(ctx, raceEvent{target: t, err: err})
		}
		<-conn.ended
	})
	return conn, ended
}

// errSilent is why a connection is given up that was not proven in time.
var errSilent = errors.New("no session was granted in time")

// tell is false if the race is over.
func (r *race) tell(ctx context.Context, e raceEvent) bool {
	select {
	case r.events <- e:
		return true
	case <-ctx.Done():
		return false
	}
}
