package backend

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
)

// A tidy-up is housekeeping that does not wait for the log to grow: after a
// physical compaction, and for Defragment. Whichever member is asked does it,
// keeper or not, in these steps:
//
//	seal the open segment, and checkpoint the state at its end
//	let that one be the previous one too, so that nothing before it is needed
//	remove the log that it covers; pack what is sealed
//
// Normally what was there before a checkpoint goes with the next one. A member
// that is just starting from what goes starts from the newest checkpoint
// instead.
//
// Whoever asks may rely on it that all is gone that was compacted before he
// asked. So a tidy-up serves those who asked before it sealed the segment; and
// nothing is done if another one, of any member, has left nothing that is worth
// it.

// tidyUp is somebody's wish for one, and gets the outcome. It has room for it.
type tidyUp chan error

// wishes are those that nobody has begun with.
type wishes struct {
	mu   sync.Mutex
	list []tidyUp
	wake chan struct{} // has something in it while there may be some
}

func (w *wishes) add(wish tidyUp) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.list = append(w.list, wish)
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *wishes) take() []tidyUp {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := w.list
	w.list = nil
	return list
}

// Defragment packs and checkpoints everything now, and removes the rest. It
// returns when that is done. If ctx ends, it is done all the same. Error:
// ErrUnconfirmed, if not all members agree about the state in time.
func (b *Backend) Defragment(ctx context.Context) error {
	b.awaited.Add(1)
	defer b.awaited.Add(-1)
	wish := make(tidyUp, 1)
	b.wishes.add(wish)
	select {
	case err := <-wish:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-b.ctx.Done():
		return context.Cause(b.ctx)
	}
}

// tidyUpFor serves wishes. It is called by the housekeeping loop.
func (b *Backend) tidyUpFor(wishes []tidyUp) {
	if len(wishes) == 0 {
		return
	}
	var err error
	if !b.isTidy(b.ctx) {
		err = b.tidy(b.ctx)
	}
	if err != nil && b.ctx.Err() == nil {
		b.cfg.Log.WithError(err).Warn("a tidy-up is not done")
	}
	for _, wish := range wishes {
		wish <- err
	}
}

const (
	// tidyPatience is how long a step of a tidy-up waits for the log.
	tidyPatience = time.Minute
	// tidyLog is how many bytes of log after the newest checkpoint are not worth
	// a tidy-up, or a tidyShare of the checkpoint.
	tidyLog   = 64 << 10
	tidyShare = 16
	// tidyRest is how many bytes that nobody needs are not.
	tidyRest = 4 << 10
)

// isTidy says whether a tidy-up would change next to nothing: nothing was
// compacted since the newest checkpoint, what it made needless is gone, and
// little was logged.
func (b *Backend) isTidy(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, tidyPatience)
	defer cancel()
	// What others have done before shows after a barrier.
	if b.reads.wait(ctx) != nil || b.log.Measure(ctx) != nil {
		return false
	}
	newest, sizes := b.log.Newest(), b.log.Sizes()
	return newest.Alone && b.floorMoved.Load() <= newest.Segment &&
		sizes.Total()-sizes.Live <= tidyRest && sizes.Live-newest.Bytes <= max(newest.Bytes/tidyShare, tidyLog)
}

func (b *Backend) tidy(ctx context.Context) error {
	b.wantSegmentEnds.Store(true)
	defer b.wantSegmentEnds.Store(false)
	if b.measure(ctx); b.quota.cramped() { // first make room
		if err := b.cleanUp(ctx, b.agreedNow(ctx)); err != nil {
			return err
		}
	}
	v, err := b.seal(ctx)
	if errors.Is(err, revision.ErrQuota) {
		// What only removes, ZooKeeper permits; that may make room.
		b.makeRoom(ctx)
		v, err = b.seal(ctx)
	}
	if err != nil {
		return err
	}
	read, err := b.saveCheckpoint(ctx, v, true)
	b.scavengeHolds.Add(-1)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	if err := b.keepNewest(ctx, v.Seq().Segment, read); err != nil {
		return err
	}
	return b.cleanUp(ctx, true)
}

// keepNewest makes the checkpoint of a segment the only one, once all members
// agree about a place after it was read from memory; or the next one, if another
// member has just written one.
func (b *Backend) keepNewest(ctx context.Context, segment int64, read revision.Seq) error {
	for {
		if !b.agreed(ctx, read, haveReported) {
			b.measure(ctx)
			return ErrUnconfirmed
		}
		err := b.log.KeepNewest(ctx, segment)
		if !errors.Is(err, revision.ErrNotNeeded) {
			return err
		}
		segment = b.log.Newest().Segment
		if read, err = b.here(ctx); err != nil {
			return err
		}
	}
}

// seal ends the open segment and returns the view at its end, which holds
// scavenging.
func (b *Backend) seal(ctx context.Context) (*state.View, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, tidyPatience, fmt.Errorf("%w: the segment could not be sealed in time", revision.ErrUnavailable))
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
		case v := <-b.segmentEnds:
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
	_, err := proposeUnsigned[*pb.LeaseKeepAliveResponse](ctx, b.proposer,
		&recordpb.Request{Kind: &recordpb.Request_LeaseRenew{LeaseRenew: &recordpb.LeaseRenew{}}})
	return err
}
