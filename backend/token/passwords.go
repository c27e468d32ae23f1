package token

import (
	"context"
	"runtime"
	"sync"
)

// Passwords bounds how many passwords are hashed at a time, for a login or for a new
// one. Each takes a processor for some 50 ms, and who asks for it has shown nothing
// yet: without a bound a few hundred logins that fail leave no processor to other clients.
// etcd has none.
//
// One name has half of the turns at most, so that a client that tries the passwords of one
// user delays that user's logins, and those of others little.
type Passwords struct {
	turns   chan struct{} // taken, with room for all
	perName int

	mu    sync.Mutex
	names map[string]*nameTurns
}

// nameTurns are the turns of one name, and how many calls have to do with them.
type nameTurns struct {
	turns chan struct{}
	calls int
}

// NewNames is the name under which new passwords are hashed: their users need not
// exist yet. No user has it.
const NewNames = ""

// NewPasswords leaves half of the processors to others.
func NewPasswords() *Passwords {
	n := max(1, runtime.GOMAXPROCS(0)/2)
	return &Passwords{turns: make(chan struct{}, n), perName: max(1, n/2), names: map[string]*nameTurns{}}
}

// Turn waits for a turn for a name; the caller gives it back with done. Error: the
// cause of ctx's end.
func (p *Passwords) Turn(ctx context.Context, name string) (done func(), err error) {
	n := p.enter(name)
	for _, turns := range []chan struct{}{n.turns, p.turns} {
		select {
		case turns <- struct{}{}:
			continue
		case <-ctx.Done():
		}
		if turns == p.turns {
			<-n.turns
		}
		p.leave(name, n)
		return nil, context.Cause(ctx)
	}
	return func() {
		<-p.turns
		<-n.turns
		p.leave(name, n)
	}, nil
}

func (p *Passwords) enter(name string) *nameTurns {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.names[name]
	if n == nil {
		n = &nameTurns{turns: make(chan struct{}, p.perName)}
		p.names[name] = n
	}
	n.calls++
	return n
}

func (p *Passwords) leave(name string, n *nameTurns) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n.calls--; n.calls == 0 {
		delete(p.names, name)
	}
}
