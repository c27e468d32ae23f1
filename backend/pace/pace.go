// Package pace says when the next append goes out, and when the next barrier.
//
// What costs ZooKeeper is an append, nearly whatever it holds. So those who come
// together go together (Gathering), and the loops that make appends take turns
// (Pacer): what gathers in the meantime is the next batch.
//
// Where several zkines write as much as the ensemble takes, each of their appends
// holds the others' up: then fewer and larger ones get more written. So a crowded
// zkine has one append under way.
//
// It may import revision; nothing else of zkine.
package pace

import (
	"context"
	"sync"
	"time"

	"github.com/zkine/zkine/revision"
)

// weight is how much crowding can grow: half of it counts as crowded, so that a
// few slots of others' do not, and a pause of others' does not end it at once.
const weight = 8

// Pacer paces the appends of one zkine. Its zero value is not ready: see New.
type Pacer struct {
	// turn holds a token while a loop's turn lasts.
	turn chan struct{}

	mu        sync.Mutex
	last      revision.Seq // of one's own
	crowding  int          // 0 to weight: grows with each append that came after others', else shrinks
	gathering Gathering
}

// New returns a pacer that knows of no other zkine.
func New() *Pacer { return &Pacer{turn: make(chan struct{}, 1)} }

// Queue is where requests wait.
type Queue interface {
	// Waiting is how many wait, and a channel that may have a value when it grew.
	Waiting() (n int, grown <-chan struct{})
}

// Turn waits for the caller's turn to take the next batch, which lasts until Pass;
// false if ctx ended.
func (p *Pacer) Turn(ctx context.Context) bool {
	select {
	case p.turn <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// Pass ends the caller's turn.
func (p *Pacer) Pass() { <-p.turn }

// Crowded says whether an append is to be over before the turn is passed, since
// other zkines append as well.
func (p *Pacer) Crowded() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.crowding > weight/2
}

// Gather returns when what waits is to go. It is called by the one whose turn it is.
func (p *Pacer) Gather(ctx context.Context, q Queue) {
	n, grown := q.Waiting()
	if n == 0 {
		return // all were dropped
	}
	defer func() { p.gone(n) }()
	left := p.left(n)
	if left == 0 {
		return
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	for ; left > 0; left = p.left(n) {
		timer.Reset(left)
		select {
		case <-grown:
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		n, grown = q.Waiting()
	}
}

func (p *Pacer) left(waiting int) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.gathering.Left(time.Now(), waiting)
}

func (p *Pacer) gone(waiting int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gathering.Gone(time.Now(), waiting)
}

// Landed notes that an append of so many requests has its place in the log, and how
// many requests wait by now.
func (p *Pacer) Landed(seq revision.Seq, requests, waiting int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case seq.Segment != p.last.Segment || !p.last.Before(seq):
	case seq.Slot > p.last.Slot+1:
		p.crowding = min(p.crowding+1, weight)
	default:
		p.crowding = max(p.crowding-1, 0)
	}
	if p.last.Before(seq) {
		p.last = seq
	}
	p.gathering.Answered(time.Now(), requests, waiting)
}
