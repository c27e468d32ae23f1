package zktest

import (
	"context"
	"slices"
)

// Trap waits in a Proxy for one request of an opcode, and does its harm to that request alone. Requests before it,
// and their replies, go through untouched; what follows it is lost with the connection. Traps of one opcode catch in
// the order in which they were set. A trap whose victim's connection ends before the harm is done waits for the next.
type Trap struct {
	proxy  *Proxy
	kind   trapKind
	opcode int32

	caught    chan struct{} // closed when the harm is done
	release   chan struct{} // closed by Release
	delivered chan struct{} // closed when what was released was answered, or its connection ended
	outcome   Outcome       // valid after caught (loseReply) or delivered (holdRequest)
}

// Outcome is what a server said to a request whose sender did not hear it.
type Outcome struct {
	Answered bool // false when the connection ended without an answer
	Zxid     int64
	Error    int32 // ZooKeeper's error code, 0 for success
}

type trapKind int

const (
	loseReply   trapKind = iota // forward the request, swallow its reply, cut
	loseRequest                 // swallow the request, cut
	holdRequest                 // cut the client off, forward the request at Release
)

// LoseReply lets the next request of the opcode through, waits for the server's reply to it, swallows that and cuts
// the connection: the request took effect (or failed), and its sender cannot know.
func (p *Proxy) LoseReply(opcode int32) *Trap { return p.set(loseReply, opcode) }

// LoseRequest swallows the next request of the opcode and cuts the connection: the request never took effect, and its
// sender cannot know.
func (p *Proxy) LoseRequest(opcode int32) *Trap { return p.set(loseRequest, opcode) }

// HoldRequest keeps the next request of the opcode and cuts its sender off, but not the server, which gets the
// request at Release: it arrives when its sender has long gone on.
func (p *Proxy) HoldRequest(opcode int32) *Trap { return p.set(holdRequest, opcode) }

func (p *Proxy) set(kind trapKind, opcode int32) *Trap {
	tr := &Trap{
		proxy: p, kind: kind, opcode: opcode,
		caught: make(chan struct{}), release: make(chan struct{}), delivered: make(chan struct{}),
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.traps = append(p.traps, tr)
	return tr
}

// trap returns the trap that a request springs, and takes it away; nil when there is none.
func (p *Proxy) trap(opcode int32) *Trap {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.IndexFunc(p.traps, func(tr *Trap) bool { return tr.opcode == opcode })
	if i < 0 {
		return nil
	}
	tr := p.traps[i]
	p.traps = slices.Delete(p.traps, i, i+1)
	return tr
}

// rearm sets a trap again that sprang without effect.
func (p *Proxy) rearm(tr *Trap) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.traps = slices.Insert(p.traps, 0, tr)
}

// Caught is closed once the trap did its harm.
func (tr *Trap) Caught() <-chan struct{} { return tr.caught }

// Wait waits until the trap did its harm; after LoseReply it returns what the server had answered.
func (tr *Trap) Wait() Outcome {
	tr.proxy.t.Helper()
	tr.await(tr.caught)
	if tr.kind != loseReply {
		return Outcome{}
	}
	return tr.outcome
}

// Release forwards what HoldRequest caught, waits for the server's word on it, and returns that. It is called once,
// after the trap caught something.
func (tr *Trap) Release() Outcome {
	tr.proxy.t.Helper()
	tr.await(tr.caught)
	close(tr.release)
	tr.await(tr.delivered)
	return tr.outcome
}

func (tr *Trap) await(done <-chan struct{}) {
	tr.proxy.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	select {
	case <-done:
	case <-ctx.Done():
		tr.proxy.t.Fatalf("zktest: a trap for opcode %d waited in vain", tr.opcode)
	}
}
