package backend

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// Whether linearizable calls can be served is one truth, which Ready tells at
// once to whoever asks: probes, metrics, the log, Status, and the streams that
// want a leader. It is doubted from the moment in which something stands in the
// way: the log has failed, there is no session, or ZooKeeper owes an answer for
// longer than owingLimit. Then a linearizable read, or a write, must succeed until it
// is believed again: a session may be up while the state is still behind.
//
// While nothing is asked of it, ZooKeeper is asked for a sign of life, which it
// answers from memory; so an outage is known within a second of its begin. What
// that cannot show is a quorum lost behind a follower that still answers: then
// the next write, barrier or linearizable probe does.

const (
	// servingTick is how often the loop looks. It has no multiple in common with
	// the other loops' ticks: what two loops do at one moment would be in an order
	// of Go's, and simulations are to repeat.
	servingTick = 97_013 * time.Microsecond
	// owingLimit is more than a pause of a ZooKeeper's garbage collection or of
	// its disk usually takes. With the log's pulse and a tick it stays below a
	// second.
	owingLimit = 600 * time.Millisecond
	// proofTimeout bounds one attempt to read.
	proofTimeout = time.Second
)

var (
	errSilent   = errors.New("ZooKeeper does not answer")
	errUnproven = errors.New("ZooKeeper answers again; catching up with the log")
)

// serving counts how often there was reason to doubt; proven is that count as
// of the last linearizable read which succeeded. Equal means: serving.
type serving struct {
	doubts, proven atomic.Int64
}

// Ready is nil while linearizable calls can be served, or says why not. It does
// no I/O.
func (b *Backend) Ready() error {
	if err := b.obstacle(); err != nil {
		b.serving.doubts.Add(1)
		return err
	}
	if b.serving.proven.Load() != b.serving.doubts.Load() {
		return errUnproven
	}
	return nil
}

// obstacle is what stands in the way of serving at this moment.
func (b *Backend) obstacle() error {
	if err := b.failure(); err != nil {
		return err
	}
	if err := b.log.Connected(); err != nil {
		return err
	}
	if owing := b.log.Owing(); owing > owingLimit {
		return fmt.Errorf("%w (for %v now)", errSilent, owing.Round(100*time.Millisecond))
	}
	return nil
}

// servingLoop finds out how things are when nobody else does. It ends with the
// backend.
func (b *Backend) servingLoop() {
	ticker := time.NewTicker(servingTick)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-b.ctx.Done():
			return
		}
		b.log.Pulse()
		if errors.Is(b.Ready(), errUnproven) {
			b.prove()
		}
	}
}

// prove tries whether a linearizable read succeeds, which ends doubts.
func (b *Backend) prove() {
	ctx, cancel := context.WithTimeout(b.ctx, proofTimeout)
	defer cancel()
	b.reads.wait(ctx) //nolint:errcheck // served hears of success
}

// served ends doubts: a linearizable read, or a write of this zkine's own, has
// just succeeded. It is told before whoever asked for that is.
func (b *Backend) served() {
	doubts := b.serving.doubts.Load()
	if b.serving.proven.Load() != doubts && b.obstacle() == nil {
		b.serving.proven.Store(doubts)
	}
}
