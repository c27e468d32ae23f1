package simulation

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// profile is what kind of world it is: how many of everything, and what goes
// wrong how often. Each seed draws its own, so that some worlds know one kind of
// fault only and others all of them at once.
type profile struct {
	zkines, servers, writers, watchers, tenants int
	ops                                         int // of each writer
	maxSlots, checkpointFrom                    int64
	inFlight                                    int
	digests                                     time.Duration // between rounds
	large                                       bool          // some values are larger than a request

	latency time.Duration // mean, one way
	// heavy, and what follows, is one in how many; 0 is never.
	heavy                           int
	loseRequest, loseReply, stall   int           // of requests
	crashBefore, crashAfter         int           // of requests
	loseWatch                       int           // of events
	disasters                       time.Duration // mean time between two; 0 is never
	lag, twoKeepers, freeze, expire bool

	leases leases
	raises []raise

	end ending
}

// ending is what happens once the clients are done.
type ending int

const (
	peace     ending = iota // everything heals
	loseTail                // the ensemble forgets its last changes
	corrupted               // a bit flips in the keeper's memory
)

func (e ending) String() string { return [...]string{"peace", "lost tail", "corrupt keeper"}[e] }

func (p profile) String() string {
	type plain profile // without this method
	return fmt.Sprintf("%+v", plain(p))
}

func drawProfile(rng *rand.Rand) profile {
	some := func(values ...int) int { return values[rng.IntN(len(values))] }
	often := func(n int) bool { return rng.IntN(n) != 0 }
	p := profile{
		zkines: some(1, 2, 2, 3, 3, 3, 4), servers: some(1, 3), writers: some(2, 3, 4),
		watchers: some(1, 2), tenants: some(0, 1, 2), ops: some(8, 12, 20),
		maxSlots: int64(some(1, 2, 3, 5, 8, 50)), checkpointFrom: int64(some(1, 200, 1500, 1<<20)),
		inFlight: some(1, 2, 2, 4), digests: time.Duration(some(2, 5, 300)) * time.Second,
		large:   rng.IntN(25) == 0,
		latency: time.Duration(some(100, 500, 2000)) * time.Microsecond,
		heavy:   some(0, 50, 200),
		lag:     rng.IntN(2) == 0, twoKeepers: rng.IntN(3) == 0, freeze: rng.IntN(2) == 0, expire: rng.IntN(2) == 0,
	}
	if often(3) {
		p.loseRequest, p.loseReply = some(0, 50, 150, 400), some(0, 50, 150, 400)
	}
	if often(3) {
		p.stall, p.loseWatch = some(0, 300, 1000), some(0, 2, 10)
	}
	if often(2) {
		p.crashBefore, p.crashAfter = some(0, 400, 1200), some(0, 400, 1200)
	}
	if often(3) {
		p.disasters = time.Duration(some(500, 1500, 5000)) * time.Millisecond
	}
	switch rng.IntN(8) {
	case 0:
		p.end = loseTail
	case 1:
		p.end, p.zkines = corrupted, max(p.zkines, 3)
	}
	return p
}
