package mirror

import (
	"context"
	"errors"
	"fmt"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/revision"
)

// Store is the part of the log that keeps it short.
type Store interface {
	CheckpointDue(segment int64) bool
	SaveCheckpoint(ctx context.Context, segment int64, rev revision.Rev, meta []byte,
		keys func(yield func([]byte) bool) error, pace func(context.Context) error) error
	TrimAndPack(ctx context.Context, pace func(context.Context) error) error
}

// freedAtOnce bounds how many versions are freed for one slot.
const freedAtOnce = 1024

// housekeep does what the keeper among zkines does at the end of each segment: a
// checkpoint, if one is due, and the removal of what it makes needless. Nothing has to
// agree about the state, since nothing else serves it.
func (a *Alone) housekeep(ctx context.Context) error {
	a.machine.CompactPhysicallyTo(a.View().CompactRev(), freedAtOnce)
	v := a.ended
	if a.ended = nil; v == nil {
		return nil
	}
	noRest := func(ctx context.Context) error { return ctx.Err() }
	if segment := v.Seq().Segment; a.log.CheckpointDue(segment) {
		meta, err := v.CheckpointMeta()
		if err == nil {
			err = a.log.SaveCheckpoint(ctx, segment, v.Rev(), meta, v.LendCheckpointKeys, noRest)
		}
		if err != nil && !errors.Is(err, revision.ErrNotNeeded) {
			return fmt.Errorf("store a checkpoint: %w", err)
		}
	}
	if err := a.log.TrimAndPack(ctx, noRest); err != nil {
		return fmt.Errorf("trim the log: %w", err)
	}
	return nil
}

// rootHeader is who asks where users count.
func rootHeader(authRevision uint64) *pb.RequestHeader {
	return &pb.RequestHeader{Username: "root", AuthRevision: authRevision}
}
