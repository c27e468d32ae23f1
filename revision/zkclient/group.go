package zkclient

import "sync"

// Group is goroutines that end with their owner: Wait returns when none of them
// is left, and none begins after that. The zero value is ready; several
// goroutines may use it.
type Group struct {
	mu     sync.Mutex
	closed bool // Wait was called
	wg     sync.WaitGroup
}

// Go runs f in a goroutine of the group. Once the owner waits, f runs in the
// caller's goroutine instead, which then is what must end.
func (g *Group) Go(f func()) {
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		f()
		return
	}
	g.wg.Add(1)
	g.mu.Unlock()
	go func() {
		defer g.wg.Done()
		f()
	}()
}

// Wait lets no further goroutine begin, and waits for those that run. It does
// not end them: the owner must have done so, by a context or a closed socket.
func (g *Group) Wait() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.wg.Wait()
}
