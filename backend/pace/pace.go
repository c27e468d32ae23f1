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

// Queue is where requests wait. The pacer calls it under its own lock.
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

// Gather returns when what waits is to go; Take then takes it. It is called by the one
// whose turn it is.
func (p *Pacer) Gather(ctx context.Context, q Queue) {
	n, left := p.left(q)
	if n == 0 || left == 0 {
		return // all were dropped, or may go
	}
	_, grown := q.Waiting()
	timer := time.NewTimer(left)
	defer timer.Stop()
	for ; left > 0; _, left = p.left(q) {
		timer.Reset(left)
		select {
		case <-grown:
		case <-timer.C:
		case <-ctx.Done():
			return
		}
	}
}

func (p *Pacer) left(q Queue) (waiting int, left time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n, _ := q.Waiting()
	return n, p.gathering.Left(time.Now(), n)
}

// Take has a batch be taken of the queue, which is so many requests; none if it may not
// go.
func (p *Pacer) Take(q Queue, take func() (requests int)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	waiting, _ := q.Waiting()
	if take() > 0 {
		left, _ := q.Waiting()
		p.gathering.Gone(time.Now(), waiting, left)
	}
}

// Alone notes that a request is about to be sent by itself, without having waited.
func (p *Pacer) Alone() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gathering.Came(time.Now(), 1)
}

// Answered notes that an append of so many requests, sent at a moment, is about to be
// answered, while others wait in a queue.
func (p *Pacer) Answered(sent time.Time, requests int, q Queue) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n, _ := q.Waiting()
	p.gathering.Answered(time.Now(), sent, requests, n)
}

// Landed notes that an append has its place in the log.
func (p *Pacer) Landed(seq revision.Seq) {
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
}
