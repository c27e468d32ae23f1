package simulation

import (
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zkine/zkine/revision/memzk"
)

// world is one run. Its fields belong to the scheduler's goroutine but for
// those that say otherwise.
type world struct {
	seed    uint64
	profile profile
	rng     *rand.Rand
	began   time.Time
	e       *memzk.Ensemble

	agenda agenda
	order  int
	conns  []*conn // whose session the ensemble still knows
	dialed int     // how many conns there ever were
	// dialedBeforeLoss is how many when the ensemble lost its tail.
	dialedBeforeLoss int
	// awayUntil is when the ensemble is up again; cutUntil, by server, when that
	// one hears from the others again.
	awayUntil time.Duration
	cutUntil  []time.Duration
	calm      bool // nothing goes wrong any more
	mute      bool // no zkine can halt the others
	over      bool // everything is to end; under mu
	zkines    []*zkine
	lives     []*life // all there ever were
	operators []*life // who keep all zkines down until they have ended
	backups   []backup
	steps     int
	age       time.Duration  // once it is over
	happened  map[string]int // disasters and fates, by name, for statistics

	trace *trace
	truth *truth
	// floor is the highest revision that any client has seen. Clients raise it.
	floor atomic.Int64
	// clients that are not done yet; they lower it themselves.
	clients atomic.Int64
	ending  atomic.Bool // watchers and tenants wind up
	steady  atomic.Bool // no goroutine is frozen any more
	// leased is how many reads were answered by leases, heldBack for how long slots
	// waited for their holders, in nanoseconds.
	leased, heldBack atomic.Int64

	arrived chan struct{} // has room for one

	mu       sync.Mutex
	arrivals []*call  // sent by zkines, not seen by the scheduler yet
	wrong    []string // what must not be
	history  history
	raisings map[string]int // what became of raises of the revision
}

func newWorld(seed uint64, tracing bool) *world {
	p := drawProfile(rand.New(rand.NewPCG(seed, 1)))
	p.drawLeases(rand.New(rand.NewPCG(seed, 3)))
	p.drawRaises(rand.New(rand.NewPCG(seed, 4)))
	w := &world{seed: seed, profile: p, rng: rand.New(rand.NewPCG(seed, 2)), began: time.Now(),
		e: memzk.NewServers(p.servers), cutUntil: make([]time.Duration, p.servers),
		arrived: make(chan struct{}, 1), happened: map[string]int{}, raisings: map[string]int{}, trace: newTrace(tracing)}
	w.truth = newTruth(w)
	for i := range p.zkines {
		w.zkines = append(w.zkines, &zkine{w: w, id: i, name: string(rune('a' + i))})
	}
	return w
}

// fail notes something that must not be; the run ends soon. Anyone may call it.
func (w *world) fail(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.wrong) < 20 {
		w.wrong = append(w.wrong, fmt.Sprintf("at %v: ", w.now())+fmt.Sprintf(format, args...))
	}
}

func (w *world) failed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.wrong) > 0
}

// oneIn is true once in n times; never for n = 0.
func (w *world) oneIn(n int) bool { return n > 0 && w.rng.IntN(n) == 0 }

// between draws a duration, small ones as often as large ones.
func (w *world) between(low, high time.Duration) time.Duration {
	return low + time.Duration(w.rng.Int64N(int64(high-low)+1))
}

// latency is how long something takes on its way.
func (w *world) latency() time.Duration {
	d := time.Duration(w.rng.ExpFloat64() * float64(w.profile.latency))
	if !w.calm && w.oneIn(w.profile.heavy) {
		d *= time.Duration(10 + w.rng.IntN(300))
	}
	return d + time.Duration(1+w.rng.IntN(1000))
}

// source is a reader of seeded random bytes for a zkine.
type source struct {
	mu  sync.Mutex
	rng *rand.ChaCha8
}

func newSource(seed uint64, stream int) io.Reader {
	var s [32]byte
	rng := rand.New(rand.NewPCG(seed, uint64(stream)+100))
	for i := range s {
		s[i] = byte(rng.Uint32())
	}
	return &source{rng: rand.NewChaCha8(s)}
}

func (s *source) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rng.Read(p)
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
