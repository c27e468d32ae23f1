package zktest

import (
	"net"
	"sync"
	"time"
)

// link is one client's connection through a Proxy. In each direction a reader queues what it receives and a writer
// forwards it when its time has come. The link is cut when either side ends, but for a client that a trap cut off:
// the server is not to notice that.
type link struct {
	proxy          *Proxy
	client, server net.Conn
	ended          chan struct{} // closed when cut
	settled        chan struct{} // closed when nothing of it is left
	once           sync.Once

	mu     sync.Mutex
	victim *Trap // the trap whose reply is awaited; nil while there is none
	xid    int32 // that of the request it caught
}

// queued is a frame on its way.
type queued struct {
	frame
	due time.Time
}

func newLink(p *Proxy, client, server net.Conn) *link {
	return &link{proxy: p, client: client, server: server, ended: make(chan struct{}), settled: make(chan struct{})}
}

// run forwards until the link is cut.
func (l *link) run() {
	var work sync.WaitGroup
	requests, replies := make(chan queued, 1024), make(chan queued, 1024)
	work.Go(func() { l.read(l.client, ToServer, requests); l.clientGone() })
	work.Go(func() { l.read(l.server, ToClient, replies); l.cut() })
	work.Go(func() { l.write(l.server, ToServer, requests, l.onRequest); l.cut() })
	work.Go(func() { l.write(l.client, ToClient, replies, l.onReply); l.clientGone() })
	work.Wait()
	l.settle()
	close(l.settled)
}

// cut ends the link; both sides see an error.
func (l *link) cut() {
	l.once.Do(func() {
		close(l.ended)
		reset(l.client)
		reset(l.server)
	})
}

// clientGone cuts the link, unless a trap cut the client off.
func (l *link) clientGone() {
	if tr := l.caughtBy(); tr == nil || tr.kind != holdRequest {
		l.cut()
	}
}

func (l *link) caughtBy() *Trap {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.victim
}

// settle deals with a trap that never saw its reply.
func (l *link) settle() {
	tr := l.caughtBy()
	switch {
	case tr == nil:
	case tr.kind == holdRequest:
		close(tr.delivered)
	default:
		l.proxy.rearm(tr)
	}
}

func (l *link) read(from net.Conn, d Direction, to chan<- queued) {
	for first := true; ; first = false {
		f, err := readFrame(from)
		if err != nil {
			return
		}
		f.handshake = first
		if d == ToServer && !first {
			l.proxy.count(f.opcode())
		}
		select {
		case to <- queued{frame: f, due: time.Now().Add(l.proxy.delayOf(d))}:
		case <-l.ended:
			return
		}
	}
}

// write forwards frames in order, each when it is due, its direction is open, and on lets it; else it ends.
func (l *link) write(to net.Conn, d Direction, from <-chan queued, on func(frame) verdict) {
	for {
		var q queued
		select {
		case q = <-from:
		case <-l.ended:
			return
		}
		if !l.sleep(time.Until(q.due)) || !l.pass(d) {
			return
		}
		switch on(q.frame) {
		case cutLink:
			return
		case swallow:
			continue
		}
		if _, err := to.Write(q.raw); err != nil {
			return
		}
	}
}

type verdict int

const (
	forward verdict = iota
	swallow
	cutLink
)

// onRequest springs the trap that is set for a request.
func (l *link) onRequest(f frame) verdict {
	// One victim a link: what follows it is lost with the connection anyhow.
	if f.handshake || l.caughtBy() != nil {
		return forward
	}
	tr := l.proxy.trap(f.opcode())
	if tr == nil {
		return forward
	}
	if tr.kind == loseRequest {
		l.cut()
		close(tr.caught)
		return cutLink
	}
	l.mu.Lock()
	l.victim, l.xid = tr, f.xid()
	l.mu.Unlock()
	if tr.kind == loseReply {
		return forward
	}
	reset(l.client)
	close(tr.caught)
	select {
	case <-tr.release:
		return forward
	case <-l.ended:
		return cutLink
	}
}

// onReply swallows the reply that is to be lost, and what comes for a client that was cut off.
func (l *link) onReply(f frame) verdict {
	l.mu.Lock()
	tr, xid := l.victim, l.xid
	l.mu.Unlock()
	switch {
	case f.handshake || tr == nil:
		return forward
	case f.xid() != xid && tr.kind == holdRequest:
		return swallow
	case f.xid() != xid:
		return forward
	}
	l.mu.Lock()
	l.victim = nil
	l.mu.Unlock()
	l.cut()
	tr.outcome = Outcome{Answered: true, Zxid: f.zxid(), Error: f.errorCode()}
	if tr.kind == holdRequest {
		close(tr.delivered)
	} else {
		close(tr.caught)
	}
	return cutLink
}

// sleep waits; false when the link was cut before the end.
func (l *link) sleep(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-l.ended:
		return false
	}
}

// pass waits until a direction is open; false when the link was cut before that.
func (l *link) pass(d Direction) bool {
	for {
		gate := l.proxy.gate(d)
		if gate == nil {
			return true
		}
		select {
		case <-gate:
		case <-l.ended:
			return false
		}
	}
}
