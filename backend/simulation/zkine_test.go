package simulation

import (
	"context"
	"io"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/zkine/zkine/backend"
	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zklog"
)

// zkine is a member that lives, dies and lives again. Its fields are the
// scheduler's but for those that say otherwise.
type zkine struct {
	w     *world
	id    int
	name  string
	life  *life // nil before the first
	lives int
	// operator says that it is a person's command; it has one life.
	operator bool

	frozenUntil time.Duration
	// frozen is frozenUntil for any goroutine.
	frozen atomic.Int64
	held   []func() // what waits for it to wake
}

// life is one run of a zkine: a process, were it not in this one.
type life struct {
	z      *zkine
	number int
	died   chan struct{}
	cancel context.CancelFunc
	ended  chan struct{}   // closed when nothing of it runs any more
	heard  []time.Duration // when ZooKeeper answered it; the scheduler's

	metrics  *prometheus.Registry
	reloaded bool // it goes on from a checkpoint; of the goroutine that applies

	// Under w.mu:
	dead     bool
	backend  *backend.Backend // nil until it serves
	view     *state.View      // published last
	failure  error            // why it stopped by itself
	harmed   bool             // its memory was damaged on purpose
	ahead    bool             // it knows more than an ensemble that has lost its tail
	returned bool             // and has heard from it since
}

// start begins a life. It serves in a while.
func (w *world) start(z *zkine) {
	z.lives++
	ctx, cancel := context.WithCancel(context.Background())
	l := &life{z: z, number: z.lives, metrics: prometheus.NewRegistry(), died: make(chan struct{}), ended: make(chan struct{}), cancel: cancel}
	w.mu.Lock()
	z.life = l
	w.mu.Unlock()
	w.lives = append(w.lives, l)
	w.trace.event(w.now(), z.name, "starts")
	go func() {
		defer close(l.ended)
		l.open(ctx)
	}()
}

// open runs until the life is over.
func (l *life) open(ctx context.Context) {
	w, p := l.z.w, l.z.w.profile
	log := l.logger()
	cfg := zklog.Config{Dialer: dialer{l}, Root: "/zkine", Name: l.z.name, MaxSlots: p.maxSlots,
		CheckpointFrom: p.checkpointFrom, Random: l.source(0), OneServer: l.oneServer(), Log: log}
	if p.large {
		cfg.MaxRequest = 1 // the smallest there is
	}
	opened, err := zklog.Open(ctx, cfg)
	if err != nil {
		l.fail(err)
		return
	}
	member := backend.Config{
		Member:      revision.Member{Name: l.z.name, ID: l.member(), ClientURLs: []string{"http://" + l.z.name}},
		MaxInFlight: p.inFlight, DigestInterval: p.digests, Random: l.source(1), Published: l.published, Log: log,
		ReadLease: l.readLease(), Clock: l.wrongClock, Registerer: l.metrics,
	}
	if w.seed%3 == 0 { // cramped, so that one checkpoint is kept, but never full
		member.QuotaBytes = 1 << 50
		member.Held = func(context.Context) (int64, error) { return member.QuotaBytes / 4 * 3, nil }
	}
	b, err := backend.Open(ctx, &observed{Log: opened, l: l}, member)
	if err != nil {
		l.fail(err)
		return
	}
	w.mu.Lock()
	l.backend = b
	w.mu.Unlock()
	w.poke()
	select {
	case <-b.Failed():
		l.fail(b.Ready())
	case <-ctx.Done():
	}
	l.countLeased()
	if err := b.Close(); err != nil {
		w.fail("%s: Close: %v", l.z.name, err)
	}
}

// source is one of the life's own: who draws at once must not share one.
func (l *life) source(n int) io.Reader {
	return newSource(l.z.w.seed, (l.z.id*1000+l.number)*2+n)
}

func (l *life) member() uint64 { return uint64(l.z.id + 1) }

// wrongClock is what batches say that the time is: years away from the others', and it
// goes back. Nothing may depend on it.
func (l *life) wrongClock() time.Time {
	return time.Now().AddDate(l.z.id*10-l.number, 0, 0).Add(-2 * l.z.w.now())
}

// fail notes why a life ended by itself. Anyone may call it.
func (l *life) fail(err error) {
	w := l.z.w
	w.mu.Lock()
	l.failure = err
	w.mu.Unlock()
	w.poke()
}

// why says why a life ended by itself; nil if it did not. Anyone may call it.
func (l *life) why() error {
	l.z.w.mu.Lock()
	defer l.z.w.mu.Unlock()
	return l.failure
}

// look finds lives that have ended by themselves, which none must.
func (w *world) look() {
	if w.over {
		return
	}
	for _, z := range w.zkines {
		if z.life == nil {
			continue
		}
		w.mu.Lock()
		dead, failure := z.life.dead, z.life.failure
		w.mu.Unlock()
		if failure != nil && !dead && !w.mayStop(z.life, failure) {
			w.fail("%s stopped: %v", z.name, failure)
		}
	}
}

// crash ends a life in the middle of what it does, and begins another later.
func (w *world) crash(l *life) {
	z := l.z
	w.mu.Lock()
	if l.dead {
		w.mu.Unlock()
		return
	}
	l.dead = true
	w.mu.Unlock()
	w.trace.event(w.now(), z.name, "crash")
	close(l.died)
	for _, n := range append([]*conn(nil), w.conns...) {
		if n.life == l {
			w.sever(n)
		}
	}
	l.cancel()
	w.thaw(z)
	if !z.operator {
		w.after(w.between(0, 2*sessionTimeout), func() { w.revive(z) })
	}
}

// freeze stops a zkine: what it sends and what it would hear waits. Its session
// may expire in that time.
func (w *world) freeze(z *zkine, d time.Duration) {
	z.frozenUntil = max(z.frozenUntil, w.now()+d)
	z.frozen.Store(int64(z.frozenUntil))
	life := z.life
	if d > sessionTimeout {
		w.after(sessionTimeout, func() {
			for _, n := range append([]*conn(nil), w.conns...) {
				if n.life == life && w.now() < z.frozenUntil {
					n.expire()
				}
			}
		})
	}
	w.at(z.frozenUntil, func() {
		if w.now() >= z.frozenUntil {
			w.thaw(z)
		}
	})
}

func (w *world) thaw(z *zkine) {
	z.frozenUntil = 0
	z.frozen.Store(0)
	held := z.held
	z.held = nil
	for _, f := range held {
		f()
	}
}

// whenAwake runs f now, or once the zkine is no longer frozen.
func (z *zkine) whenAwake(f func()) {
	if z.w.now() < z.frozenUntil {
		z.held = append(z.held, f)
		return
	}
	f()
}

// serving returns what a client reaches; nil while the zkine is down. Anyone may
// call it.
func (z *zkine) serving() *backend.Backend {
	z.w.mu.Lock()
	defer z.w.mu.Unlock()
	if z.life == nil || z.life.dead || z.life.failure != nil {
		return nil
	}
	return z.life.backend
}

// published is told each view by the goroutine that applies.
func (l *life) published(v *state.View) {
	w := l.z.w
	runtime.Gosched() // a client that was answered too early goes on now, and finds l.view old
	w.mu.Lock()
	old, harmed := l.view, l.harmed
	l.view = v
	w.mu.Unlock()
	if old != nil && (v.Seq().Before(old.Seq()) || v.Rev() < old.Rev()) {
		w.fail("%s went back from %v to %v", l.z.name, old.Seq(), v.Seq())
	}
	if !harmed {
		w.truth.applied(l, old, v)
	}
	l.reloaded = false
}

// lastView is what the life published last. Anyone may call it.
func (l *life) lastView() *state.View {
	l.z.w.mu.Lock()
	defer l.z.w.mu.Unlock()
	return l.view
}

func (l *life) isHarmed() bool {
	l.z.w.mu.Lock()
	defer l.z.w.mu.Unlock()
	return l.harmed
}

// hears notes that a connection has answered.
func (l *life) hears(n *conn) {
	l.z.w.mu.Lock()
	defer l.z.w.mu.Unlock()
	l.returned = l.returned || l.ahead && n.id > l.z.w.dialedBeforeLoss
}

// isBack says whether a life that knows more than the ensemble can know that.
// What it applies before are slots that it has got before.
func (l *life) isBack() bool {
	l.z.w.mu.Lock()
	defer l.z.w.mu.Unlock()
	return l.ahead && l.returned
}

// catchesUp says that what it knew more does not matter any more.
func (l *life) catchesUp() {
	l.z.w.mu.Lock()
	defer l.z.w.mu.Unlock()
	l.ahead = false
	l.z.w.count("left behind a loss")
}

func (l *life) isAhead() bool {
	l.z.w.mu.Lock()
	defer l.z.w.mu.Unlock()
	return l.ahead
}
