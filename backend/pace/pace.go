// Package pace says when the next append goes out while other zkines append as
// well.
//
// Alone, appends go out as soon as something waits, several at once: what gathers
// in the meantime is the next batch. Where several zkines write as much as the ensemble
// takes, each of their appends holds the others' up: then fewer and larger ones get
// more written. So a crowded zkine has one append under way, and begins the next one
// when all those wait again that its last one has answered, or a moment has passed.
//
// It may import revision; nothing else of zkine.
package pace

import (
	"context"
	"sync"
	"time"

	"github.com/zkine/zkine/revision"
)

const (
	// longest bounds how long an append waits for more requests.
	longest = 8 * time.Millisecond
	// fewest is how many requests must be likely to come for it to pay.
	fewest = 4
	// weight is how much crowding can grow: half of it counts as crowded, so that a
	// few slots of others' do not, and a pause of others' does not end it at once.
	weight = 8
)

// Pacer paces the appends of one zkine. Its zero value is not ready: see New.
type Pacer struct {
	// turn holds a token while an append of a crowded zkine is under way.
	turn chan struct{}

	mu       sync.Mutex
	last     revision.Seq // of one's own
	crowding int          // 0 to weight: grows with each append that came after others', else shrinks
	expected int          // requests that are likely to wait soon, as of the last landing
	until    time.Time    // when they are not waited for any longer
}

// New returns a pacer that knows of no other zkine.
func New() *Pacer { return &Pacer{turn: make(chan struct{}, 1)} }

// Queue is where requests wait.
type Queue interface {
	// Waiting is how many wait, and a channel that may have a value when it grew.
	Waiting() (n int, grown <-chan struct{})
}

// Await returns when the next append is to be made; done is called when it is over.
func (p *Pacer) Await(ctx context.Context, q Queue) (done func()) {
	if !p.crowded() {
		return func() {}
	}
	select {
	case p.turn <- struct{}{}:
	case <-ctx.Done():
		return func() {}
	}
	p.gather(ctx, q)
	return func() { <-p.turn }
}

func (p *Pacer) gather(ctx context.Context, q Queue) {
	p.mu.Lock()
	expected, until := p.expected, p.until
	p.mu.Unlock()
	n, grown := q.Waiting()
	if n == 0 || n >= expected || expected < fewest {
		return
	}
	rest := time.Until(until)
	if rest <= 0 {
		return
	}
	timer := time.NewTimer(rest)
	defer timer.Stop()
	for n < expected {
		select {
		case <-grown:
		case <-timer.C:
			return
		case <-ctx.Done():
			return
		}
		n, grown = q.Waiting()
	}
}

func (p *Pacer) crowded() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.crowding > weight/2
}

// Landed notes that an append of so many requests has its place in the log, how
// long that took, and how many requests wait by now.
func (p *Pacer) Landed(seq revision.Seq, requests, waiting int, took time.Duration) {
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
	p.expected = requests + waiting
	p.until = time.Now().Add(min(took/2, longest))
}
