package zklog

import (
	"context"
	"errors"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zkroot"
)

// startAfterCheckpoint makes Next deliver what comes after the newest
// checkpoint.
func (d *delivery) startAfterCheckpoint(ctx context.Context, conn zkclient.Conn, open zkroot.SegmentRef) error {
	newest, err := d.on(conn).Newest(ctx)
	if err != nil {
		return err
	}
	var loaded *revision.Checkpoint
	covered := int64(0)
	if newest != nil {
		d.checkpoints.note(newest.Record)
		loaded = d.checkpoints.found(newest)
		covered = loaded.Segment
	}
	first, err := d.on(conn).SegmentAfter(ctx, covered)
	if err != nil {
		return err
	}
	d.checkpoints.loaded = loaded
	d.tail.start(first, open)
	return nil
}

// Reload makes Next go on after the newest checkpoint, once it has returned
// ErrTrimmed. Called by Next's caller, who takes the state from Checkpoint
// then. Appends under way whose outcome is not known by now end with
// ErrUnknown.
func (l *Log) Reload(ctx context.Context) error { return l.delivery.reload(ctx) }

func (d *delivery) reload(ctx context.Context) error {
	for {
		conn, err := d.session.Get(ctx)
		if err != nil {
			return err
		}
		err = d.reloadOn(ctx, conn)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, revision.ErrTrimmed):
			continue // a newer checkpoint has replaced this one
		}
		if err := d.unusable(ctx, conn, err); !errors.Is(err, errAgain) {
			return err
		}
	}
}

func (d *delivery) reloadOn(ctx context.Context, conn zkclient.Conn) error {
	opCtx, cancel := d.session.Bound(ctx)
	defer cancel()
	open, err := d.readOpen(opCtx, conn)
	if err != nil {
		return err
	}
	return d.startAfterCheckpoint(opCtx, conn, open)
}
