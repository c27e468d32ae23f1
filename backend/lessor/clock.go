package lessor

import "time"

// MaxTick is the longest time between two quorum writes that still counts.
const MaxTick = 2 * time.Second

// clock is the service clock: it advances only between quorum writes that are at
// most MaxTick apart.
type clock struct {
	now  time.Duration // service time at the last quorum write
	last time.Time     // when that was; zero before the first
}

// step is what a quorum write meant for the clock.
type step int

const (
	ticked step = iota
	gap         // no time has passed, however long it was
)

// advance notes a quorum write. Of two that ran at once, the later counts.
func (c *clock) advance(at time.Time) step {
	elapsed := at.Sub(c.last)
	if c.last.IsZero() || elapsed > MaxTick {
		c.last = at
		return gap
	}
	if elapsed > 0 {
		c.now += elapsed
		c.last = at
	}
	return ticked
}

// upcoming is what the clock can show at most at this moment, once the next
// quorum write has advanced it: deadlines start from here, to be never early.
func (c *clock) upcoming() time.Duration {
	if c.last.IsZero() {
		return c.now
	}
	return c.now + min(max(0, time.Since(c.last)), MaxTick)
}
