package pace

import "time"

// Spacing is how long after one batch the next one goes, while that is under way, if
// some requests come together: longer than an append takes where the servers are near, so
// that requests share one, and a part of what it takes where they are far. Measured:
// docs/performance.md, "Appends under way".
const Spacing = 4 * time.Millisecond

// UnderWay counts the batches that were taken and not released, and the requests in
// them. It is called under its owner's lock.
type UnderWay struct {
	batches, most int
	requests      int
	newest        time.Time // when the newest was taken
}

// NewUnderWay has at most so many batches under way.
func NewUnderWay(most int) UnderWay { return UnderWay{most: most} }

// Begin counts a batch that is taken.
func (u *UnderWay) Begin(requests int) {
	u.batches++
	u.requests += requests
	u.newest = time.Now()
}

// End counts one that is released.
func (u *UnderWay) End(requests int) {
	u.batches--
	u.requests -= requests
}

// Any says whether a batch is under way.
func (u *UnderWay) Any() bool { return u.batches > 0 }

// Wait is how long it is until a batch of those that wait, so many, may go; false if
// that takes until one is released.
func (u *UnderWay) Wait(waiting int) (time.Duration, bool) {
	switch {
	case u.batches == 0:
		return 0, true
	case u.batches >= u.most:
		return 0, false
	case u.requests+waiting < fewest:
		return 0, true
	}
	return max(0, Spacing-time.Since(u.newest)), true
}
