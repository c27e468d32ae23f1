package backend

import (
	"context"
	"fmt"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision/recordpb"
)

// A tidy-up is housekeeping that does not wait for the log to grow: for a
// physical compaction, and for Defragment. Whichever member is asked does it,
// keeper or not, in these steps:
//
//	seal the open segment, and checkpoint the state at its end
//	do so once more, which takes nearly all chunks over
//	remove the log that the first one covers; pack what is sealed
//
// With the second checkpoint the first one is the previous one, so that what
// was there before goes at once instead of with the next checkpoint. A member
// that is just starting from what goes starts from the newest checkpoint
// instead.

// tidyUp is somebody's wish for one, and gets the outcome.
type tidyUp chan error

// Defragment packs and checkpoints everything now, and removes the rest. It
// returns when that is done. If ctx ends, it is done all the same.
func (b *Backend) Defragment(ctx context.Context) error {
	wish := make(tidyUp, 1)
	select {
	case b.tidyUps <- wish:
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-b.ctx.Done():
		return context.Cause(b.ctx)
	}
	select {
	case err := <-wish:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-b.ctx.Done():
		return context.Cause(b.ctx)
	}
}

// tidyUpFor serves a wish, and all others that are there when it begins. It is
// called by the housekeeping loop.
func (b *Backend) tidyUpFor(first tidyUp) {
	wishes := []tidyUp{first}
	for more := true; more; {
		select {
		case wish := <-b.tidyUps:
			wishes = append(wishes, wish)
		default:
			more = false
		}
	}
	err := b.tidy(b.ctx)
	for _, wish := range wishes {
		wish <- err
	}
}

// tidyPatience is how long a step of a tidy-up waits for the log.
const tidyPatience = time.Minute

func (b *Backend) tidy(ctx context.Context) error {
	b.wantBoundaries.Store(true)
	defer b.wantBoundaries.Store(false)
	if b.measure(ctx); b.cramped() { // first make room
		if err := b.cleanUp(ctx); err != nil {
			return err
		}
	}
	for range 2 {
		v, err := b.seal(ctx)
		if err != nil {
			return err
		}
		err = b.saveCheckpoint(ctx, v, true)
		b.scavengeHolds.Add(-1)
		if err != nil {
			return fmt.Errorf("checkpoint: %w", err)
		}
	}
	return b.cleanUp(ctx)
}

// seal ends the open segment and returns the view at its end, which holds
// scavenging.
func (b *Backend) seal(ctx context.Context) (*state.View, error) {
	ctx, cancel := context.WithTimeout(ctx, tidyPatience)
	defer cancel()
	// A record before, so that the segment is not empty, and one after, whose
	// slot shows the apply loop that the segment is over.
	if err := b.proposeNothing(ctx); err != nil {
		return nil, err
	}
	segment := b.view.Load().Seq().Segment
	if err := b.log.Seal(ctx, segment); err != nil {
		return nil, err
	}
	if err := b.proposeNothing(ctx); err != nil {
		return nil, err
	}
	for {
		select {
		case v := <-b.boundaries:
			if v.Seq().Segment >= segment {
				return v, nil
			}
			b.scavengeHolds.Add(-1) // from before the segment
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// proposeNothing logs a record without an effect: a renewal of no lease.
func (b *Backend) proposeNothing(ctx context.Context) error {
	_, err := proposeUnsigned[*pb.LeaseKeepAliveResponse](ctx, b,
		&recordpb.Request{Kind: &recordpb.Request_LeaseRenew{LeaseRenew: &recordpb.LeaseRenew{}}})
	return err
}
