package robustness

import (
	"context"
	"sync"
	"time"

	"github.com/zkine/zkine/revision/zktest"
)

const (
	// servedPeriod is the time between two questions to a server.
	servedPeriod = 50 * time.Millisecond
	// servedTimeout is how long a server may take to grant a plain client a session.
	servedTimeout = 300 * time.Millisecond
)

// watchServed looks for the longest time in which no ZooKeeper granted a plain
// client a session. The function that it returns ends it, and tells when that was
// over; the zero time if it was not to be watched. Its clients are a load, so
// that it is for few runs.
func (e *faultEnv) watchServed(ctx context.Context, wanted bool) (end func() time.Time) {
	if !wanted {
		return func() time.Time { return time.Time{} }
	}
	ctx, cancel := context.WithCancel(ctx)
	var (
		work    sync.WaitGroup
		mu      sync.Mutex
		last    = time.Now()
		longest time.Duration
		until   time.Time
	)
	granted := func() {
		mu.Lock()
		defer mu.Unlock()
		now := time.Now()
		if gap := now.Sub(last); gap > longest {
			longest, until = gap, now
		}
		last = now
	}
	for _, s := range e.ZooKeepers {
		work.Go(func() {
			for ctx.Err() == nil {
				asking, done := context.WithTimeout(ctx, servedTimeout)
				if zktest.Serves(asking, s.Addr()) && asking.Err() == nil {
					granted()
				}
				done()
				lastFor(ctx, servedPeriod) //nolint:errcheck // the loop asks
			}
		})
	}
	return func() time.Time {
		cancel()
		work.Wait()
		return until
	}
}
