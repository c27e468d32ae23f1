package simulation

import (
	"math/rand/v2"
	"time"

	"github.com/zkine/zkine/backend"
	"github.com/zkine/zkine/backend/readlease"
)

// leases is how a world is with read leases: which zkines take them, how far their
// clocks go wrong, and who reads. Worlds without are as they were before there were
// any.
type leases struct {
	wanted  []bool // by zkine
	drift   []int  // by zkine, in parts of a million
	readers int
	pause   int // a goroutine is frozen once in so many looks at the clock; 0 is never
}

// worst is how far a clock may go wrong, in parts of a million, less one.
const worst = 1_000_000/readlease.Drift - 1

func (p *profile) drawLeases(rng *rand.Rand) {
	if rng.IntN(2) == 0 {
		return
	}
	l := &p.leases
	all := rng.IntN(2) == 0
	for range p.zkines {
		l.wanted = append(l.wanted, all || rng.IntN(2) == 0)
		l.drift = append(l.drift, []int{-worst, 0, worst}[rng.IntN(3)])
	}
	l.readers = 1 + rng.IntN(3)
	l.pause = []int{0, 30, 200}[rng.IntN(3)]
	p.maxSlots = max(p.maxSlots, int64([]int{3, 8, 50}[rng.IntN(3)]))
}

// readLease is a zkine's configuration.
func (l *life) readLease() backend.ReadLease {
	p := l.z.w.profile.leases
	clock := &driftingClock{z: l.z, rng: rand.New(rand.NewPCG(l.z.w.seed, uint64(l.z.id*1000+l.number)+5000))}
	if p.wanted == nil {
		return backend.ReadLease{Clock: clock.now}
	}
	i := l.z.id % len(p.wanted) // some come late
	clock.drift, clock.pause = p.drift[i], p.pause
	return backend.ReadLease{Wanted: p.wanted[i], Clock: clock.now, Reads: 2}
}

// driftingClock is a zkine's clock. It goes on while the zkine is frozen. A goroutine
// that looks at it waits until the zkine is not, and may be frozen alone before it
// makes anything of what it saw.
type driftingClock struct {
	z     *zkine
	drift int
	pause int
	rng   *rand.Rand // under the world's mu
	// rested is from when on a goroutine may be frozen again, under the world's mu: a
	// replay looks at the clock for each slot, and would never get through where
	// disasters follow one another.
	rested time.Duration
}

// rest is for how long no goroutine is frozen after one was.
const rest = 2 * time.Second

func (c *driftingClock) now() time.Duration {
	w := c.z.w
	for left := time.Duration(c.z.frozen.Load()) - w.now(); left > 0; left = time.Duration(c.z.frozen.Load()) - w.now() {
		time.Sleep(left)
	}
	t := w.now()
	w.mu.Lock()
	pause := time.Duration(0)
	if c.pause > 0 && !w.over && !w.steady.Load() && t >= c.rested && c.rng.IntN(c.pause) == 0 {
		pause = time.Duration(c.rng.Int64N(int64(3 * readlease.Duration)))
		c.rested = t + pause + rest
	}
	w.mu.Unlock()
	time.Sleep(pause)
	// No two clocks show the same.
	return time.Duration(c.z.id+1)*time.Hour + t + t*time.Duration(c.drift)/1_000_000
}

// countLeased adds up what a life did by leases.
func (l *life) countLeased() {
	families, err := l.metrics.Gather()
	must(err)
	for _, f := range families {
		switch f.GetName() {
		case "zkine_read_lease_reads_total":
			l.z.w.leased.Add(int64(f.GetMetric()[0].GetCounter().GetValue()))
		case "zkine_read_lease_held_back_seconds_total":
			l.z.w.heldBack.Add(int64(f.GetMetric()[0].GetCounter().GetValue() * float64(time.Second)))
		}
	}
}

// reader makes many linearizable reads, most of one zkine.
func (p *person) reader(home *zkine) {
	defer p.w.poke()
	defer p.w.clients.Add(-1)
	p.home = home
	for range 100 {
		p.rest(40 * time.Millisecond)
		p.perform(&op{kind: opGet, key: p.key()})
	}
}
