package archive

import (
	"context"
	"sync"
	"time"
)

// lag is since when slots may be in the root that are not in the archive.
type lag struct {
	mu sync.Mutex
	// since is when the last round began that has succeeded; zero while none is asked
	// for.
	since time.Time
	// failing is why the last round did not; nil if it did.
	failing error
}

// note takes a round in.
func (l *lag) note(began time.Time, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failing = err
	if err == nil || l.since.IsZero() {
		l.since = began
	}
}

// rest says that no rounds are asked for.
func (l *lag) rest() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.since, l.failing = time.Time{}, nil
}

// Lag is for how long slots may have been in the root without being in the archive, at
// most; 0 while this archiver has nothing to do.
func (a *Archiver) Lag() time.Duration {
	a.lag.mu.Lock()
	defer a.lag.mu.Unlock()
	if a.lag.since.IsZero() {
		return 0
	}
	return max(0, a.cfg.Clock().Sub(a.lag.since))
}

// Run makes rounds, two in each interval, as long as active says so, until ctx ends.
// What goes wrong is warned of, and tried again.
func (a *Archiver) Run(ctx context.Context, active func() bool) {
	defer a.Close()
	ticker := time.NewTicker(a.cfg.Interval / 2)
	defer ticker.Stop()
	told := false
	for {
		if active() {
			report, err := a.Round(ctx)
			if ctx.Err() != nil {
				return
			}
			told = a.say(report, err, told)
		} else {
			a.lag.rest()
			a.Close()
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// say logs what is worth it of a round. was says that the log has it that those before
// have failed, and still that it does so now.
func (a *Archiver) say(report Report, err error, was bool) (still bool) {
	log := a.cfg.Log.WithField("archive", a.cfg.Store.String())
	if err != nil {
		if left, ok := a.said.Allow("round"); ok {
			log.WithError(err).Warnf("the archive does not follow, for %v now; trying again%s", a.Lag().Round(time.Second), left)
			return true
		}
		return was
	}
	if report.Hole != nil {
		log.WithError(report.Hole).Warn("the archive has a hole: nothing within it can be restored, all after it can")
	}
	if was {
		log.Infof("the archive follows again, up to %v", report.At)
	}
	if report.Checkpoints > 0 {
		log.Infof("archived a checkpoint, and the log up to %v", report.At)
	}
	return false
}

// Covers says whether the log up to the end of a segment may be removed from the root: it
// is in the archive, or the archive has lagged for longer than is waited for. It archives
// what is there, for a minute at most.
func (a *Archiver) Covers(ctx context.Context, segment int64) bool {
	within, cancel := context.WithTimeout(ctx, coverTimeout)
	defer cancel()
	_, err := a.Round(within)
	if err == nil || ctx.Err() != nil {
		return err == nil
	}
	if lag := a.Lag(); lag > a.cfg.TrimWait {
		a.metrics.forced()
		if left, ok := a.said.Allow("forced"); ok {
			a.cfg.Log.WithError(err).Errorf("the log is trimmed up to segment %d, though the archive has lagged for %v: it will have a hole%s", segment, lag.Round(time.Second), left)
		}
		return true
	}
	if left, ok := a.said.Allow("covers"); ok {
		a.cfg.Log.WithError(err).Warnf("the log is not trimmed until it is archived, for %v at most%s", a.cfg.TrimWait, left)
	}
	return false
}

// coverTimeout bounds how long housekeeping waits at once.
const coverTimeout = time.Minute
