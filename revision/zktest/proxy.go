package zktest

import (
	"maps"
	"net"
	"slices"
	"sync"
	"testing"
	"time"
)

// Proxy stands between clients and one ZooKeeper and forwards whole frames of its protocol, unless told otherwise.
// All methods may be called from any goroutine. They hold for what a client sends after they returned; a frame that
// was being forwarded just then may still pass.
type Proxy struct {
	t        testing.TB
	target   string
	listener net.Listener
	work     sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	refuse  bool
	links   map[*link]bool
	traps   []*Trap // armed ones, oldest first
	counts  map[int32]int
	frozen  [2]bool
	delay   [2]time.Duration
	changed chan struct{} // closed and replaced whenever frozen or counts change
}

// Direction is one way through a Proxy.
type Direction int

// The two ways.
const (
	ToServer Direction = iota
	ToClient
)

// NewProxy starts a proxy in front of the server at target, on a loopback port of its own. It is closed when the test
// ends.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{
		t: t, target: target, listener: listener,
		links: map[*link]bool{}, counts: map[int32]int{}, changed: make(chan struct{}),
	}
	p.work.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

// Addr is the proxy's address, host:port.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// CutAll cuts all connections; new ones are accepted. What was on its way, or frozen, is lost.
func (p *Proxy) CutAll() {
	p.mu.Lock()
	links := slices.Collect(maps.Keys(p.links))
	p.mu.Unlock()
	for _, l := range links {
		l.cut()
	}
	for _, l := range links {
		<-l.settled
	}
}

// Refuse makes the proxy reset new connections at once. Those that stand are left alone.
func (p *Proxy) Refuse() { p.setRefuse(true) }

// Accept ends Refuse.
func (p *Proxy) Accept() { p.setRefuse(false) }

func (p *Proxy) setRefuse(refuse bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse = refuse
}

// Freeze makes a direction a black hole, for all connections now and later: nothing arrives, and neither side is told.
// What is sent until Thaw arrives after it, unless the connection is cut before.
func (p *Proxy) Freeze(d Direction) { p.setFrozen(d, true) }

// Thaw ends Freeze.
func (p *Proxy) Thaw(d Direction) { p.setFrozen(d, false) }

func (p *Proxy) setFrozen(d Direction, frozen bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.frozen[d] = frozen
	p.broadcast()
}

// broadcast wakes who waits for a change; the caller holds the lock.
func (p *Proxy) broadcast() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// Delay makes a direction slower by so much, as a long wire would: a message is late, but does not hold up those
// behind it. It is for what is received from now on.
func (p *Proxy) Delay(d Direction, by time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay[d] = by
}

// Requests is how many requests of the opcode clients have sent so far: frozen, lost and held ones included.
func (p *Proxy) Requests(opcode int32) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.counts[opcode]
}

// AwaitRequests waits until Requests(opcode) is at least n.
func (p *Proxy) AwaitRequests(opcode int32, n int) {
	p.t.Helper()
	timeout := time.After(patience)
	for {
		p.mu.Lock()
		count, changed := p.counts[opcode], p.changed
		p.mu.Unlock()
		if count >= n {
			return
		}
		select {
		case <-changed:
		case <-timeout:
			p.t.Fatalf("zktest: %d requests of opcode %d came, not %d", count, opcode, n)
		}
	}
}

// Connections is how many connections stand.
func (p *Proxy) Connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.links)
}

func (p *Proxy) count(opcode int32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counts[opcode]++
	p.broadcast()
}

// gate returns nil when a direction is open, and else what is closed at the next change.
func (p *Proxy) gate(d Direction) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.frozen[d] {
		return nil
	}
	return p.changed
}

func (p *Proxy) delayOf(d Direction) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.delay[d]
}

// accept is the proxy's loop; it ends when the listener is closed.
func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.work.Go(func() { p.serve(client) })
	}
}

func (p *Proxy) serve(client net.Conn) {
	p.mu.Lock()
	refuse := p.refuse || p.closed
	p.mu.Unlock()
	if refuse {
		reset(client)
		return
	}
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		reset(client)
		return
	}
	l := newLink(p, client, server)
	p.mu.Lock()
	if p.closed || p.refuse {
		p.mu.Unlock()
		l.cut()
		return
	}
	p.links[l] = true
	p.mu.Unlock()
	l.run()
	p.mu.Lock()
	delete(p.links, l)
	p.mu.Unlock()
}

// close ends everything and waits for it.
func (p *Proxy) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.listener.Close()
	p.CutAll()
	p.work.Wait()
}

// reset closes a connection so that the other side sees an error, not an end.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	c.Close()
}
