package mirror

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"

	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision"
)

// Log is what a Root needs of the log to read it. *zklog.Log satisfies it.
type Log interface {
	// Checkpoint is the stored state after which Next begins; false if there is
	// none.
	Checkpoint() (*revision.Checkpoint, bool)
	// Next returns the next slot, and waits for it.
	Next(ctx context.Context) (revision.Slot, error)
	// Reload goes on after the newest checkpoint, once Next has returned
	// revision.ErrTrimmed.
	Reload(ctx context.Context) error
	// Barrier returns the place of the last slot.
	Barrier(ctx context.Context) (revision.Seq, error)
	// Applied tells the log how far the state is.
	Applied(seq revision.Seq, rev revision.Rev)
}

// Root is the state of a root, read from its log. One goroutine uses it; views may go
// anywhere.
type Root struct {
	log     Log
	machine *state.Machine
	random  io.Reader
	// own are the nonces of what this Root has appended to the segment under way.
	own map[revision.Nonce]bool
	// alone says that slots of others are an error.
	alone bool
	// ended are the segments that have ended since the last housekeeping: the view
	// at the end of the latest.
	ended *state.View
}

// Load reads a root up to its end. The log stays the caller's. Errors: those of the
// log; revision.ErrNewerFormat, revision.ErrCorrupt.
func Load(ctx context.Context, log Log) (*Root, error) {
	r := &Root{log: log, random: rand.Reader, own: map[revision.Nonce]bool{}}
	if err := r.restore(ctx); err != nil {
		return nil, err
	}
	return r, r.CatchUp(ctx)
}

// restore begins with the newest checkpoint.
func (r *Root) restore(ctx context.Context) error {
	for {
		cp, found := r.log.Checkpoint()
		if !found {
			r.machine = state.New()
			return nil
		}
		m, err := state.Restore(cp.Meta, cp.Chunks(ctx))
		switch {
		case err == nil:
			r.machine = m
			return nil
		case errors.Is(err, state.ErrBadCheckpoint) || errors.Is(err, revision.ErrCorrupt) || ctx.Err() != nil:
			return fmt.Errorf("load the checkpoint of segment %d: %w", cp.Segment, err)
		}
		// The connection was lost, or a newer checkpoint has replaced this one.
		if err := r.log.Reload(ctx); err != nil {
			return err
		}
	}
}

// CatchUp applies all that the log holds at the time of the call.
func (r *Root) CatchUp(ctx context.Context) error {
	end, err := r.log.Barrier(ctx)
	if err != nil {
		return err
	}
	for r.View().Seq().Before(end) {
		if _, err := r.next(ctx); err != nil {
			return err
		}
	}
	return nil
}

// next applies the next slot, and returns its nonce.
func (r *Root) next(ctx context.Context) (revision.Nonce, error) {
	slot, err := r.log.Next(ctx)
	if errors.Is(err, revision.ErrTrimmed) && !r.alone {
		if err := r.log.Reload(ctx); err != nil {
			return revision.Nonce{}, err
		}
		return revision.Nonce{}, r.restore(ctx)
	}
	if err != nil {
		return revision.Nonce{}, err
	}
	if r.alone && !r.own[slot.Nonce] {
		return slot.Nonce, fmt.Errorf("%w: slot %v is not this command's", ErrOthers, slot.Seq)
	}
	return slot.Nonce, r.apply(slot)
}

func (r *Root) apply(slot revision.Slot) error {
	before := r.machine.View()
	if at := before.Seq(); at.Segment > 0 && slot.Seq.Segment > at.Segment {
		r.ended = before
		clear(r.own)
		r.own[slot.Nonce] = true
	}
	applied := r.machine.Apply(slot)
	for _, result := range applied.Results {
		if errors.Is(result.Err, state.ErrUnknownRequest) {
			return fmt.Errorf("%w: the slot at %v holds a request of a kind unknown to this zkine", revision.ErrNewerFormat, slot.Seq)
		}
	}
	view := r.machine.View()
	r.log.Applied(slot.Seq, view.Rev())
	if r.alone {
		return refusedIn(applied.Results)
	}
	return nil
}

// refusedIn is the first error that evaluation gave.
func refusedIn(results []state.Result) error {
	for _, result := range results {
		if result.Err != nil {
			return fmt.Errorf("%w: %w", ErrRefused, result.Err)
		}
	}
	return nil
}

// View is the state as of the last slot that was applied.
func (r *Root) View() *state.View { return r.machine.View() }
