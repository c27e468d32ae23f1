package zklog

import (
	"context"
	"iter"
	"sync"
	"sync/atomic"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zkroot"
)

// Checkpoint returns the checkpoint after which Next begins to deliver; false
// if it begins with the first slot there ever was.
func (l *Log) Checkpoint() (*revision.Checkpoint, bool) {
	return l.checkpoints.loaded, l.checkpoints.loaded != nil
}

// checkpoints is what is known of the root's checkpoints; it writes new ones.
type checkpoints struct {
	*link
	known  atomic.Pointer[zkroot.CheckpointRecord] // nil if none was looked for
	loaded *revision.Checkpoint                    // nil if delivery began with the first slot
}

// note remembers which checkpoints there are.
func (c *checkpoints) note(record zkroot.CheckpointRecord) { c.known.Store(&record) }

// newest is the newest one that is known of.
func (c *checkpoints) newest() revision.Newest {
	record := c.known.Load()
	if record == nil || record.Latest == nil {
		return revision.Newest{}
	}
	return revision.Newest{Segment: record.Latest.Segment, Bytes: record.Latest.Bytes, Alone: record.Alone()}
}

// previous is the last segment that the checkpoint before the newest covers, as far as
// is known; 0 if there is none.
func (c *checkpoints) previous() int64 {
	record := c.known.Load()
	if record == nil || record.Previous == nil {
		return 0
	}
	return record.Previous.Segment
}

// found makes of a checkpoint that was read what Checkpoint returns.
func (c *checkpoints) found(n *zkroot.NewestCheckpoint) *revision.Checkpoint {
	keys := &stored{link: c.link, ref: n.Record.Latest, chunks: n.Manifest.Chunks}
	return &revision.Checkpoint{Segment: n.Manifest.Segment, Meta: n.Meta, RawBytes: keys.rawBytes(), Chunks: keys.yieldChunks}
}

// stored is the keys of a checkpoint in ZooKeeper.
type stored struct {
	*link
	ref    *zkroot.CheckpointRef
	chunks []*recordpb.StoredChunk
}

// rawBytes is what all chunks hold.
func (s *stored) rawBytes() (n int64) {
	for _, chunk := range s.chunks {
		n += int64(chunk.RawLength)
	}
	return n
}

// chunksAhead is how many chunks are read at once, before they are asked for.
const chunksAhead = 8

// readChunk is a chunk that was read, or why not.
type readChunk struct {
	data []byte
	err  error
}

// yieldChunks implements Checkpoint.Chunks, reading ahead. It returns once all
// that it has begun to read is over; so does Close.
func (s *stored) yieldChunks(ctx context.Context) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		var readers sync.WaitGroup
		defer readers.Wait()
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(s.ctx, cancel)()
		begun := make([]chan readChunk, 0, len(s.chunks))
		for i := range s.chunks {
			for len(begun) < min(i+1+chunksAhead, len(s.chunks)) {
				begun = append(begun, s.begin(ctx, s.chunks[len(begun)], &readers))
			}
			r := <-begun[i]
			begun[i] = nil
			if !yield(r.data, r.err) || r.err != nil {
				return
			}
		}
	}
}

// begin reads a chunk in the background.
func (s *stored) begin(ctx context.Context, c *recordpb.StoredChunk, readers *sync.WaitGroup) chan readChunk {
	ch := make(chan readChunk, 1)
	readers.Add(1)
	s.group.Go(func() {
		defer readers.Done()
		data, err := s.read(ctx, c)
		ch <- readChunk{data, err}
	})
	return ch
}

// read reads a chunk on the session that is up now.
func (s *stored) read(ctx context.Context, c *recordpb.StoredChunk) ([]byte, error) {
	conn, err := s.session.Get(ctx)
	if err != nil {
		return nil, err
	}
	r := s.on(conn)
	data, err := r.Chunk(ctx, c)
	if err != nil {
		return nil, r.ReplacedOrLost(ctx, s.ref, err)
	}
	return data, nil
}

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
