package zklog

import (
	"context"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zkroot"
)

// KeepNewest makes the checkpoint of a segment, the newest one, the previous one
// too, so that the next TrimAndPack removes all that it makes needless. A member
// that is just starting from the one before goes on from this one instead.
// Errors: ErrNotNeeded, if it is not the newest any more; else it may be tried
// again.
func (l *Log) KeepNewest(ctx context.Context, segment int64) error {
	return l.checkpoints.keepNewest(ctx, segment)
}

func (c *checkpoints) keepNewest(ctx context.Context, segment int64) error {
	conn, err := c.dialBulk(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	for range patientTries {
		var record zkroot.CheckpointRecord
		var version int64
		if record, version, err = c.on(conn).Checkpoints(ctx); err != nil {
			return err
		}
		c.note(record)
		switch {
		case record.Latest == nil || record.Latest.Segment != segment:
			return revision.ErrNotNeeded
		case record.Alone():
			return nil
		}
		record.Previous = record.Latest
		if _, err = conn.Multi(ctx, zkclient.SetOp(c.layout.Checkpoint(), zkroot.MustJSON(record), version)); err == nil {
			c.note(record)
		}
		if !overtaken(err) {
			return err
		}
	}
	return err
}

// Newest implements backend.Log. It is up to date after Measure.
func (l *Log) Newest() revision.Newest { return l.checkpoints.newest() }

// CheckpointDue says whether the log up to the end of a segment has outgrown
// the newest checkpoint that is known of: so the log never holds much more than
// twice the state, and a checkpoint is paid for by as much log.
func (l *Log) CheckpointDue(segment int64) bool {
	newest := l.Newest()
	return segment > newest.Segment && l.usage.segments.deliveredAfter(newest.Segment, segment) >= max(newest.Bytes, l.cfg.CheckpointFrom)
}
