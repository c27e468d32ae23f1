package housekeep

import (
	"context"
	"errors"
	"fmt"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
)

// Compaction modes, named as etcd's --auto-compaction-mode.
const (
	CompactPeriodic = "periodic"
	CompactRevision = "revision"
)

// AutoCompaction says whether the keeper compacts by itself; the zero value is
// no. kube-apiserver does it itself.
type AutoCompaction struct {
	// Mode is CompactPeriodic or CompactRevision.
	Mode string
	// Period is how much history CompactPeriodic retains; 0 turns it off.
	Period time.Duration
	// Revisions is how many revisions CompactRevision retains; 0 turns it off.
	Revisions int64
}

func (a AutoCompaction) on() bool {
	return a.Mode == CompactPeriodic && a.Period > 0 || a.Mode == CompactRevision && a.Revisions > 0
}

const (
	// revisionInterval is how often CompactRevision looks: etcd's.
	revisionInterval = 5 * time.Minute
	// samplesPerPeriod is how many moments of a period are remembered: etcd's.
	samplesPerPeriod = 10
)

// compactor decides what the keeper compacts. Every member runs one, so that a
// new keeper knows what revisions were a period ago. It is the keeper loop's.
type compactor struct {
	cfg     AutoCompaction
	samples []sample
	last    time.Time // of the last compaction that it asked for
}

// sample is which revision the store was at, and when.
type sample struct {
	at  time.Time
	rev revision.Rev
}

// due returns a revision to compact at, if it is time for one.
func (c *compactor) due(now time.Time, v *state.View) (revision.Rev, bool) {
	if !c.cfg.on() {
		return 0, false
	}
	if c.last.IsZero() {
		c.last = now // the first one comes an interval after the start
	}
	rev := v.Rev() - revision.Rev(c.cfg.Revisions)
	if c.cfg.Mode == CompactPeriodic {
		rev = c.sampled(now, v.Rev())
	}
	if now.Sub(c.last) < c.interval() || rev <= v.CompactRev() || rev < 1 {
		return 0, false
	}
	return rev, true
}

// interval is how long two compactions are apart: as in etcd, the period, but
// an hour at most.
func (c *compactor) interval() time.Duration {
	if c.cfg.Mode == CompactRevision {
		return revisionInterval
	}
	return min(c.cfg.Period, time.Hour)
}

// sampled notes the revision of this moment, now and then, and returns the one
// of a period ago, 0 if that is not known.
func (c *compactor) sampled(now time.Time, rev revision.Rev) revision.Rev {
	if n := len(c.samples); n == 0 || now.Sub(c.samples[n-1].at) >= c.cfg.Period/samplesPerPeriod {
		c.samples = append(c.samples, sample{now, rev})
	}
	old := revision.Rev(0)
	for len(c.samples) > 0 && now.Sub(c.samples[0].at) >= c.cfg.Period {
		old = c.samples[0].rev
		if len(c.samples) == 1 || now.Sub(c.samples[1].at) < c.cfg.Period {
			break // the newest that is old enough stays, for the next look
		}
		c.samples = c.samples[1:]
	}
	return old
}

// autoCompact compacts as the keeper does. Two keepers at once do no harm: the
// second compaction of a revision is refused at apply.
func (h *Housekeeper) autoCompact(ctx context.Context) {
	now := time.Now()
	rev, due := h.compactor.due(now, h.env.View())
	if !due || !h.keeper.isSelf() {
		return
	}
	h.compactor.last = now
	err := h.env.Propose(ctx, &recordpb.Request{Kind: &recordpb.Request_Compaction{
		Compaction: &pb.CompactionRequest{Revision: int64(rev)}}})
	if errors.Is(err, state.ErrCompacted) {
		h.ran(taskCompact, nil)
		return
	}
	h.ran(taskCompact, err)
	if err == nil {
		h.cfg.Log.WithField("revision", rev).Info("compacted automatically")
	} else {
		h.warn(fmt.Errorf("compact at revision %d: %w", rev, err), "the store was not compacted automatically; it is tried again when that is due")
	}
}
