package robustness

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision/zklog"
)

// Replay is a root's log as a zkine reads it that starts now: the newest
// checkpoint, if there is one, and all slots after it, packed or not.
type Replay struct {
	// From is the last segment that the checkpoint covers, 0 without one.
	From int64
	// Slots are those after it.
	Slots []SlotID

	machine *state.Machine
}

// replay reads a root's log to where it ends now.
func replay(ctx context.Context, servers []string, root string) (*Replay, error) {
	log, err := openLog(ctx, servers, root)
	if err != nil {
		return nil, fmt.Errorf("open the log at %s: %w", root, err)
	}
	defer log.Close()
	a := &Replay{machine: state.New()}
	if cp, found := log.Checkpoint(); found {
		a.From = cp.Segment
		if a.machine, err = state.Restore(cp.Meta, cp.Chunks(ctx)); err != nil {
			return nil, fmt.Errorf("the checkpoint of segment %d at %s: %w", cp.Segment, root, err)
		}
	}
	end, err := log.Barrier(ctx)
	if err != nil {
		return nil, fmt.Errorf("find the end of the log at %s: %w", root, err)
	}
	for at := a.machine.View().Seq(); at.Before(end); {
		slot, err := log.Next(ctx)
		if err != nil {
			return nil, fmt.Errorf("read the log at %s: %w", root, err)
		}
		a.machine.Apply(slot)
		a.Slots = append(a.Slots, SlotID{slot.Seq, slot.Nonce})
		at = slot.Seq
	}
	return a, verify(ctx, servers, root)
}

// verify has zkine's own check look at every byte under a root.
func verify(ctx context.Context, servers []string, root string) error {
	v, err := zklog.Verify(ctx, logConfig(servers, root))
	if err != nil {
		return fmt.Errorf("verify %s: %w", root, err)
	}
	var errs []error
	for _, f := range v.Findings {
		errs = append(errs, fmt.Errorf("verify %s: %w", f.Path, f.Err))
	}
	return errors.Join(errs...)
}

// CheckReplay compares the log that was read while it grew with what is left of
// it: the same slots, and a checkpoint that is the state at its place.
func (h *History) CheckReplay(a *Replay) error {
	first := slices.IndexFunc(h.Slots, func(s SlotID) bool { return s.Seq.Segment > a.From })
	if first < 0 {
		first = len(h.Slots)
	}
	if tail := h.Slots[first:]; !slices.Equal(tail, a.Slots) {
		return fmt.Errorf("the log changed behind its reader: of what were %d slots after segment %d, %d are there",
			len(tail), a.From, len(a.Slots))
	}
	whole, err := h.machine.View().Digest()
	if err != nil {
		return err
	}
	again, err := a.machine.View().Digest()
	if err != nil {
		return err
	}
	if whole != again {
		return fmt.Errorf("the checkpoint of segment %d and the log after it lead to another state (%x) than the whole log (%x)",
			a.From, again, whole)
	}
	return nil
}
