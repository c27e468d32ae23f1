package backend

import (
	"context"
	"fmt"
	"time"

	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
)

// Members compare their states now and then, so that a bug or a flipped bit
// cannot make them drift apart unseen. The keeper logs a mark; each member
// computes the digest of its state right after the mark, from what is really
// in its memory, and logs it; all judge the same reports. Who is outvoted
// stops serving. While there is no majority nobody stops, but the disagreement
// is an error in the log and a metric.

// agreement is this member's part in the rounds.
type agreement struct {
	// marks hands the view of the latest mark to the loop; it has room for
	// one, and the apply loop replaces an older one.
	marks chan *state.View
	// began is the latest round whose mark this process met once it was live: only
	// in that one is the report under this member's name its own. The apply loop's.
	began revision.Seq
	// judged is the round whose verdict was told last. The apply loop's.
	judged revision.Seq
	// news has something in it once there is a new round or report; whoever takes
	// it looks at the newest view.
	news chan struct{}
}

func newAgreement() *agreement {
	return &agreement{marks: make(chan *state.View, 1), news: make(chan struct{}, 1)}
}

// observe looks, after each slot, whether a round began or a report came in.
// It is called by the apply loop; live says that the replay is over.
func (b *Backend) observeAgreement(before, after *state.View, live bool) {
	now := after.Agreement()
	if old := before.Agreement(); old.At == now.At && len(old.Reports) == len(now.Reports) {
		return
	}
	select {
	case b.agreement.news <- struct{}{}:
	default:
	}
	switch {
	case !live:
		// What was reported before a restart says nothing of this process.
	case now.At == after.Seq():
		b.agreement.began = now.At
		b.computeDigest(after)
	default:
		b.judge(now)
	}
}

func (b *Backend) computeDigest(v *state.View) {
	select {
	case <-b.agreement.marks: // a newer round: nobody needs the older one
	default:
		b.scavengeHolds.Add(1)
	}
	b.agreement.marks <- v
}

// digestLoop computes and reports digests. While it does, nothing is scavenged
// that the view needs. It ends with the backend.
func (b *Backend) digestLoop() {
	for {
		select {
		case v := <-b.agreement.marks:
			sum, err := v.Digest()
			b.scavengeHolds.Add(-1)
			if err != nil {
				b.cfg.Log.WithError(err).Warn("no digest for this round")
				continue
			}
			b.report(v.Seq(), sum)
		case <-b.ctx.Done():
			return
		}
	}
}

func (b *Backend) report(at revision.Seq, sum uint64) {
	ctx, cancel := context.WithTimeout(b.ctx, digestPatience)
	defer cancel()
	b.proposer.proposeAll(ctx, []*recordpb.Request{{Kind: &recordpb.Request_DigestReport{DigestReport: &recordpb.DigestReport{
		Segment: at.Segment, Slot: at.Slot, MemberId: b.cfg.Member.ID, Digest: sum}}}})
}

// digestPatience is how long a report may take before the round goes without.
const digestPatience = 30 * time.Second

// judge acts on the reports of a round.
func (b *Backend) judge(a state.Agreement) {
	agree, majority, found := a.Verdict()
	if agree {
		b.metrics.disagreement.Set(0)
		return
	}
	b.metrics.disagreement.Set(1)
	for _, r := range a.Reports {
		if found && a.At == b.agreement.began && r.Member == b.cfg.Member.ID && r.Digest != majority {
			b.fail(fmt.Errorf("%w: the state of this zkine differs from that of the majority, as of log position %v; restart it, and check the machine's memory if it happens again",
				revision.ErrCorrupt, a.At))
			return
		}
	}
	if b.agreement.judged != a.At {
		b.agreement.judged = a.At
		b.cfg.Log.WithField("log-position", a.At.String()).Error("members disagree about the state; see \"corrupt\" in docs/operations.md")
	}
}

// beginRound logs a mark, as the keeper does now and then, if there is anyone
// to compare with.
func (b *Backend) beginRound(ctx context.Context) {
	if members := b.keeper.members(); !b.keeper.isSelf() || len(members) < 2 || time.Since(b.lastRound) < b.cfg.DigestInterval {
		return
	}
	b.lastRound = time.Now()
	b.mark(ctx)
}

// mark begins a round.
func (b *Backend) mark(ctx context.Context) {
	b.proposer.proposeAll(ctx, []*recordpb.Request{{Kind: &recordpb.Request_DigestMark{DigestMark: &recordpb.DigestMark{}}}})
}
