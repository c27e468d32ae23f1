package watch

import (
	"runtime"
	"sync"
)

// limiter lets few watch streams at a time collect events, first come, first
// served. A change that concerns a thousand watchers would make a thousand
// goroutines runnable at once, and each step of each write would wait behind
// all of them. With turns there are a few, writes go on, and a stream that waits for
// its turn finds more revisions to put into one response.
//
// A turn is held only inside Next, never while a response is sent: a client
// that does not read delays no other.
type limiter struct {
	mu    sync.Mutex
	free  int
	queue []*stream
}

// turn is what a stream has of it, under the limiter's lock.
type turn int

const (
	noTurn turn = iota
	queued
	granted
)

// turnsPerProcessor was as good with 2 and with 8, at a thousand watchers.
const turnsPerProcessor = 4

func newLimiter() *limiter { return &limiter{free: turnsPerProcessor * runtime.GOMAXPROCS(0)} }

// take says whether the stream has its turn; if not, it is woken when it has.
// The caller holds the stream's lock, and the stream is inside Next.
func (l *limiter) take(s *stream) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.turn == noTurn && l.free > 0 {
		l.free--
		s.turn = granted
	}
	if s.turn == noTurn {
		s.turn = queued
		l.queue = append(l.queue, s)
	}
	return s.turn == granted
}

// pass gives up the stream's turn, or its place in the queue.
func (l *limiter) pass(s *stream) {
	l.mu.Lock()
	defer l.mu.Unlock()
	held := s.turn == granted
	s.turn = noTurn
	if held {
		l.grant()
	}
}

// grant gives a turn to the next in the queue. A stream that left is passed over;
// one that left and came back has two places, of which it uses the first.
func (l *limiter) grant() {
	for len(l.queue) > 0 {
		next := l.queue[0]
		l.queue[0], l.queue = nil, l.queue[1:]
		if next.turn == queued {
			next.turn = granted
			next.wake()
			return
		}
	}
	l.free++
}
