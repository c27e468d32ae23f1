package backend

import (
	"runtime"
	"sync"
)

// turns lets few watch streams at a time collect events, first come, first
// served. A change that concerns a thousand watchers would make a thousand
// goroutines runnable at once, and each step of each write would wait behind
// all of them; with turns there are a few, writes go on, and who waits for a
// turn finds more revisions to put into one response.
//
// A turn is held only inside Next, never while a response is sent: a client
// that does not read delays nobody.
type turns struct {
	mu    sync.Mutex
	free  int
	queue []*watchStream
}

// turn is what a stream has of it, under the lock of turns.
type turn int

const (
	noTurn turn = iota
	queued
	granted
)

// turnsPerProcessor was as good with 2 and with 8, at a thousand watchers.
const turnsPerProcessor = 4

func newTurns() *turns { return &turns{free: turnsPerProcessor * runtime.GOMAXPROCS(0)} }

// take says whether the stream has its turn; if not, it is woken when it has.
// The caller holds the stream's lock, and the stream is inside Next.
func (t *turns) take(s *watchStream) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s.turn == noTurn && t.free > 0 {
		t.free--
		s.turn = granted
	}
	if s.turn == noTurn {
		s.turn = queued
		t.queue = append(t.queue, s)
	}
	return s.turn == granted
}

// pass gives up the stream's turn, or its place in the queue.
func (t *turns) pass(s *watchStream) {
	t.mu.Lock()
	defer t.mu.Unlock()
	held := s.turn == granted
	s.turn = noTurn
	if held {
		t.grant()
	}
}

// grant gives a turn to the next in the queue; there may be some who left, and
// who left and came back has two places, of which it uses the first.
func (t *turns) grant() {
	for len(t.queue) > 0 {
		next := t.queue[0]
		t.queue[0], t.queue = nil, t.queue[1:]
		if next.turn == queued {
			next.turn = granted
			next.wake()
			return
		}
	}
	t.free++
}
