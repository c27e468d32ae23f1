package backend

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision"
)

// Whenever the log has moved on to a new segment, the keeper looks whether it
// has outgrown the last checkpoint, and if so writes the state as it was at the
// end of the segment before; then it lets the log pack what is sealed and
// remove what no member needs any more. All of it is harmless if two do it at
// once, and can end at any step.

// segmentEnded is called by the apply loop when the log has moved on to the next
// segment: before is the view at the end of the one before.
func (b *Backend) segmentEnded(before *state.View) {
	if !b.live.Load() || !b.keeper.isSelf() && !b.wantSegmentEnds.Load() {
		return
	}
	select {
	case <-b.segmentEnds: // a newer one serves better than one that nobody took
	default:
		b.scavengeHolds.Add(1) // what the view shows must stay
	}
	b.segmentEnds <- before
}

// housekeepLoop does slow work: what the keeper does at each boundary, and what
// somebody asked for; and measures what ZooKeeper holds. It ends with the
// backend.
func (b *Backend) housekeepLoop() {
	ticker := time.NewTicker(measureInterval)
	defer ticker.Stop()
	b.measure(b.ctx)
	for {
		select {
		case v := <-b.segmentEnds:
			if err := b.housekeep(b.ctx, v); err != nil && b.ctx.Err() == nil {
				b.cfg.Log.WithError(err).Warn("housekeeping is not done; going on with the next segment")
			}
		case <-b.wishes.wake:
			b.tidyUpFor(b.wishes.take())
		case <-ticker.C:
			b.keepRoom(b.ctx)
			b.measure(b.ctx)
			b.boundReplay(b.ctx)
			if b.proposer.queue.drained() {
				runtime.GC()
			}
		case <-b.ctx.Done():
			return
		}
	}
}

// keepRoom makes room while a quota of ZooKeeper's is used up: the log cannot
// grow then, so that no boundary comes.
func (b *Backend) keepRoom(ctx context.Context) {
	if errors.Is(b.log.Refused(), revision.ErrQuota) && b.keeper.isSelf() {
		b.makeRoom(ctx)
	}
}

// makeRoom cleans up under a quota of ZooKeeper's that is used up. What only
// removes, ZooKeeper permits.
func (b *Backend) makeRoom(ctx context.Context) {
	err := b.cleanUp(ctx, b.agreedNow(ctx))
	if err != nil && !errors.Is(err, revision.ErrQuota) && ctx.Err() == nil {
		b.cfg.Log.WithError(err).Warn("could not clean up while a quota of ZooKeeper's is used up")
	}
}

// housekeep checkpoints the view of a boundary, if that is due, and cleans up.
// It ends the hold on scavenging.
func (b *Backend) housekeep(ctx context.Context, v *state.View) error {
	read, err := b.saveCheckpoint(ctx, v, b.replay.due())
	b.scavengeHolds.Add(-1)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	return b.cleanUp(ctx, b.agreed(ctx, read, haveReported))
}

// cleanUp removes what no member can need any more, log only if trim is set,
// packs, and measures. A cramped root keeps one checkpoint.
func (b *Backend) cleanUp(ctx context.Context, trim bool) error {
	b.measure(ctx)
	if newest := b.log.Newest(); trim && b.quota.cramped() && newest.Segment > 0 && !newest.Alone {
		here, err := b.here(ctx)
		if err == nil {
			err = b.keepNewest(ctx, newest.Segment, here)
		}
		if err != nil && !errors.Is(err, ErrUnconfirmed) {
			return err
		}
	}
	err := b.log.Housekeep(ctx, trim, b.newPacer().wait)
	b.measure(ctx)
	return err
}

// measureInterval is how often a member measures what ZooKeeper holds: others
// may have packed and removed.
const measureInterval = 30 * time.Second

// measure looks how much ZooKeeper holds. If it fails, the next one will do.
func (b *Backend) measure(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, measureInterval)
	defer cancel()
	if err := b.log.Measure(ctx); err != nil && b.ctx.Err() == nil {
		b.cfg.Log.WithError(err).Debug("could not measure what ZooKeeper holds")
	}
	size := b.log.Sizes().Total()
	b.quota.size.Store(size)
	if b.cfg.Held == nil {
		return
	}
	if held, err := b.cfg.Held(ctx); err == nil {
		b.quota.others.Store(max(0, held-size))
	} else if b.ctx.Err() == nil {
		b.cfg.Log.WithError(err).Debug("could not ask how much ZooKeeper holds in all")
	}
}

// saveCheckpoint writes the view, if that is due or forced. It returns the place
// in the log at which all of it was read from memory: members that agree about a
// later one vouch for what was written. If nothing was, that is here.
func (b *Backend) saveCheckpoint(ctx context.Context, v *state.View, force bool) (read revision.Seq, err error) {
	segment := v.Seq().Segment
	if segment == 0 || !force && !b.log.CheckpointDue(segment) {
		return b.here(ctx)
	}
	began, covers := time.Now(), b.replay.ended.Load()
	meta, err := v.CheckpointMeta()
	if err != nil {
		return read, err
	}
	// Members that start will load it: a state that is wrong in this zkine's
	// memory only must not become theirs. So another has to confirm it, once all
	// was read from memory and before the checkpoint counts.
	keys := func(yield func([]byte) bool) error {
		if err := v.CheckpointKeys(yield); err != nil {
			return err
		}
		read = b.view.Load().Seq()
		if !b.agreed(ctx, read, b.confirmed) {
			return ErrUnconfirmed
		}
		return nil
	}
	err = b.log.SaveCheckpoint(ctx, segment, v.Rev(), meta, keys, b.newPacer().wait)
	if err == nil || errors.Is(err, revision.ErrNotNeeded) {
		b.replay.covered.Store(covers)
	}
	if errors.Is(err, revision.ErrNotNeeded) {
		return b.here(ctx)
	}
	if err == nil {
		b.cfg.Log.WithFields(logrus.Fields{"segment": segment, "revision": v.Rev(), "took": time.Since(began).Round(time.Millisecond)}).
			Info("wrote a checkpoint")
	}
	return read, err
}

// here is a place in the log after all that any member has done so far: that at
// which another one has read the checkpoint from memory of which is known, too.
// The view alone may lag behind it.
func (b *Backend) here(ctx context.Context) (revision.Seq, error) {
	if err := b.reads.wait(ctx); err != nil {
		return revision.Seq{}, err
	}
	return b.view.Load().Seq(), nil
}

// agreedNow is agreed for a round that begins after all that was done so far.
func (b *Backend) agreedNow(ctx context.Context) bool {
	here, err := b.here(ctx)
	return err == nil && b.agreed(ctx, here, haveReported)
}

// agreed says whether this zkine is alone, or a round of digests that began after
// a place in the log finds that enough members have the same state, and none
// another. It goes before a checkpoint counts, which one other must confirm, and
// before the log that it covers is trimmed, when all must have reported: had the
// checkpointed state been wrong in this zkine's memory only, the log that made it
// would still be there. One round may serve for both.
func (b *Backend) agreed(ctx context.Context, from revision.Seq, enough func([]revision.Member, []state.Report) bool) bool {
	ctx, cancel := context.WithTimeout(ctx, digestPatience)
	defer cancel()
	ticker := time.NewTicker(leaseTick)
	defer ticker.Stop()
	for {
		// Asked anew each time: one that has left need not report.
		members, err := b.log.Members(ctx)
		if err != nil {
			return false
		}
		if !slices.ContainsFunc(members, func(m revision.Member) bool { return m.ID != b.cfg.Member.ID }) {
			return true // this zkine itself may not be in the list yet
		}
		// A mark can get lost, and the round before says nothing of now.
		if a := b.view.Load().Agreement(); !from.Before(a.At) {
			b.mark(ctx)
		}
		if a := b.view.Load().Agreement(); from.Before(a.At) {
			if agree, _, _ := a.Verdict(); !agree {
				return false
			} else if enough(members, a.Reports) {
				return true
			}
		}
		select {
		case <-b.agreement.news:
		case <-ticker.C:
		case <-ctx.Done():
			b.cfg.Log.Warn("not all members have compared their states; no checkpoint is written, or the log is not trimmed, this time")
			return false
		}
	}
}

// confirmed says whether this zkine and another have reported.
func (b *Backend) confirmed(_ []revision.Member, reports []state.Report) bool {
	own := func(r state.Report) bool { return r.Member == b.cfg.Member.ID }
	return len(reports) > 1 && slices.ContainsFunc(reports, own)
}

// haveReported says whether all members have.
func haveReported(members []revision.Member, reports []state.Report) bool {
	for _, m := range members {
		if !slices.ContainsFunc(reports, func(r state.Report) bool { return r.Member == m.ID }) {
			return false
		}
	}
	return true
}

// pacer keeps the keeper's slow work from standing in the way of clients: it
// rests for some time after each write, in proportion to what that took. It does
// not while somebody waits for the work.
type pacer struct {
	last    time.Time
	awaited func() bool
}

func (b *Backend) newPacer() *pacer {
	return &pacer{time.Now(), func() bool { return b.awaited.Load() > 0 }}
}

const (
	// restFactor is how long it rests for each unit of time worked.
	restFactor = 3
	// restMax bounds a rest, should one write have hung.
	restMax = 250 * time.Millisecond
)

func (p *pacer) wait(ctx context.Context) error {
	rest := min(restFactor*time.Since(p.last), restMax)
	if p.awaited() {
		rest = 0
	}
	select {
	case <-time.After(rest):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	p.last = time.Now()
	return nil
}
