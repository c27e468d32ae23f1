package housekeep

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision"
)

// agreed finds out whether this zkine is alone, or a round of digests that began after
// a place in the log finds that enough members have the same state, and none
// another. It goes before a checkpoint counts, which one other must confirm, and
// before the log that it covers is trimmed, when all must have reported: had the
// checkpointed state been wrong in this zkine's memory only, the log that made it
// would still be there. One round may serve for both. It returns nil if so;
// ErrUnconfirmed if not, or not in time; and why the members cannot be listed.
func (h *Housekeeper) agreed(ctx context.Context, from revision.Seq, enough func([]revision.Member, []state.Report) bool) error {
	ctx, cancel := context.WithTimeout(ctx, digestTimeout)
	defer cancel()
	ticker := time.NewTicker(Tick)
	defer ticker.Stop()
	for {
		// Asked again each time: one that has left need not report.
		members, err := h.env.Members.Members(ctx)
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("ask who is there: %w", err)
		}
		if err != nil {
			return ErrUnconfirmed
		}
		if !slices.ContainsFunc(members, func(m revision.Member) bool { return m.ID != h.cfg.Self }) {
			return nil // this zkine itself may not be in the list yet
		}
		// A mark can get lost, and the round before says nothing of now.
		if a := h.env.View().Agreement(); !from.Before(a.At) {
			h.mark(ctx)
		}
		if a := h.env.View().Agreement(); from.Before(a.At) {
			if agree, _, _ := a.Verdict(); !agree {
				return ErrUnconfirmed
			} else if enough(members, a.Reports) {
				return nil
			}
		}
		// Of news and a tick, news first: what select would take is up to chance, and
		// simulations are to repeat.
		select {
		case <-h.check.news:
			continue
		default:
		}
		select {
		case <-h.check.news:
		case <-ticker.C:
		case <-ctx.Done():
			h.warn(unreported(members, from, h.env.View().Agreement()), "not all members have compared their states; no checkpoint is written, or the log is not trimmed, this time")
			return ErrUnconfirmed
		}
	}
}

// unreported says whom a comparison after a place in the log waits for.
func unreported(members []revision.Member, from revision.Seq, a state.Agreement) error {
	var names []string
	for _, m := range members {
		if !from.Before(a.At) || !haveReported([]revision.Member{m}, a.Reports) {
			names = append(names, m.Name)
		}
	}
	return fmt.Errorf("no report within %v of %q", digestTimeout, names)
}

// confirmed says whether this zkine and another have reported.
func (h *Housekeeper) confirmed(_ []revision.Member, reports []state.Report) bool {
	own := func(r state.Report) bool { return r.Member == h.cfg.Self }
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
