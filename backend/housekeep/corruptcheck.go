package housekeep

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
)

// Members compare their states now and then, so that a bug or a flipped bit
// cannot make them drift apart unseen, which is what etcd's corruption check is
// for. The keeper logs a mark; each member computes the digest of its state right
// after the mark, from what is really in its memory, and logs it; all judge the
// same reports. A member that is outvoted stops serving. While there is no
// majority no member stops, but the disagreement is an error in the log and a
// metric.

// corruptCheck is this member's part in the rounds.
type corruptCheck struct {
	// marks hands the view of the latest mark to the loop; it has room for
	// one, and the apply loop replaces an older one. A view in it holds physical
	// compaction.
	marks chan *state.View
	// began is the latest round whose mark this process met once it was live: only
	// in that one is the report under this member's name its own. The apply loop's.
	began revision.Seq
	// judged is the round whose verdict was told last. The apply loop's.
	judged revision.Seq
	// news has something in it once there is a new round or report. The loop that
	// takes it looks at the newest view.
	news chan struct{}
	// lastRound is when a mark was last logged by the keeper loop, and at first when
	// this zkine started. The keeper loop's.
	lastRound time.Time
	// disagreement is 1 while members' digests differ.
	disagreement prometheus.Gauge
}

func newCorruptCheck(r prometheus.Registerer) *corruptCheck {
	c := &corruptCheck{marks: make(chan *state.View, 1), news: make(chan struct{}, 1), lastRound: time.Now(),
		disagreement: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "zkine_members_disagree", Help: "1 while members report different digests of the state.",
		})}
	if r != nil {
		r.MustRegister(c.disagreement)
	}
	return c
}

// observeRound looks, after each slot, whether a round began or a report came in.
// It is called by the apply loop.
func (h *Housekeeper) observeRound(before, after *state.View) {
	now := after.Agreement()
	if old := before.Agreement(); old.At == now.At && len(old.Reports) == len(now.Reports) {
		return
	}
	select {
	case h.check.news <- struct{}{}:
	default:
	}
	switch {
	case !h.live.Load():
		// What was reported before a restart says nothing of this process.
	case now.At == after.Seq():
		h.check.began = now.At
		h.computeDigest(after)
	default:
		h.judge(now)
	}
}

func (h *Housekeeper) computeDigest(v *state.View) {
	select {
	case <-h.check.marks: // of an older round, which is over
	default:
		h.physical.Hold()
	}
	h.check.marks <- v
}

// digestLoop computes and reports digests. While it does, nothing is physically
// compacted that the view needs. It ends with the Housekeeper.
func (h *Housekeeper) digestLoop() {
	for {
		select {
		case v := <-h.check.marks:
			sum, err := v.Digest()
			h.physical.Release()
			h.ran(taskDigest, err)
			if err != nil {
				h.warn(err, "this state could not be compared with the other members' this time; it is tried again in minutes")
				continue
			}
			h.report(v.Seq(), sum)
		case <-h.ctx.Done():
			return
		}
	}
}

// digestTimeout is how long a report may take before the round goes without.
const digestTimeout = 30 * time.Second

func (h *Housekeeper) report(at revision.Seq, sum uint64) {
	ctx, cancel := context.WithTimeout(h.ctx, digestTimeout)
	defer cancel()
	h.env.Propose(ctx, &recordpb.Request{Kind: &recordpb.Request_DigestReport{DigestReport: &recordpb.DigestReport{ //nolint:errcheck // the next round will do
		Segment: at.Segment, Slot: at.Slot, MemberId: h.cfg.Self, Digest: sum}}})
}

// judge acts on the reports of a round.
func (h *Housekeeper) judge(a state.Agreement) {
	agree, majority, found := a.Verdict()
	if agree {
		h.check.disagreement.Set(0)
		return
	}
	h.check.disagreement.Set(1)
	for _, r := range a.Reports {
		if found && a.At == h.check.began && r.Member == h.cfg.Self && r.Digest != majority {
			h.env.Fail(fmt.Errorf("%w: the state of this zkine differs from that of the majority, as of log position %v; restart it, and check the machine's memory if it happens again",
				revision.ErrCorrupt, a.At))
			return
		}
	}
	if h.check.judged != a.At {
		h.check.judged = a.At
		h.cfg.Log.WithField("log-position", a.At.String()).Error("members disagree about the state; see \"corrupt\" in docs/operations.md")
	}
}

// beginRound logs a mark, as the keeper does now and then, if there is another
// member to compare with.
func (h *Housekeeper) beginRound(ctx context.Context) {
	if members := h.keeper.list(); !h.keeper.isSelf() || len(members) < 2 || time.Since(h.check.lastRound) < h.cfg.DigestInterval {
		return
	}
	h.check.lastRound = time.Now()
	h.mark(ctx)
}
