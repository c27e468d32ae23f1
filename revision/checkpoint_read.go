package revision

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"

	"github.com/go-zookeeper/zk"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/revision/recordpb"
)

// A checkpoint is the whole state after a segment's last slot. It is written
// into a folder of its own, an attempt, and takes chunks over from the one
// before that have not changed. It counts once <root>/checkpoint names it,
// which one multi does that checks that znode's version: of two writers one
// wins, and an attempt begun before the latest switch can never win any more.
//
// Nobody relies on a checkpoint for what they have applied: it only spares
// starting members the log before it, which therefore may go.

// Checkpoint returns the checkpoint after which Next begins to deliver; false
// if it begins with the first slot there ever was.
func (l *Log) Checkpoint() (*Checkpoint, bool) { return l.loaded, l.loaded != nil }

// stored is a checkpoint that lies in ZooKeeper, but for its meta.
type stored struct {
	log    *Log
	ref    *checkpointRef
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

// yieldChunks implements Checkpoint.Chunks, reading ahead.
func (s *stored) yieldChunks(ctx context.Context) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		ahead := make(chan chan readChunk, chunksAhead)
		go func() {
			defer close(ahead)
			for _, chunk := range s.chunks {
				ch := make(chan readChunk, 1)
				select {
				case ahead <- ch:
				case <-ctx.Done():
					return
				}
				go func() {
					data, err := s.log.readChunk(ctx, s.ref, chunk)
					ch <- readChunk{data, err}
				}()
			}
		}()
		for ch := range ahead {
			r := <-ch
			if !yield(r.data, r.err) || r.err != nil {
				return
			}
		}
	}
}

func (l *Log) readChunk(ctx context.Context, of *checkpointRef, c *recordpb.StoredChunk) ([]byte, error) {
	conn, err := l.session.get(ctx)
	if err != nil {
		return nil, err
	}
	data, err := readBlob(ctx, conn, chunkRef(c), func(part int) string { return l.layout.chunk(c.Attempt, int(c.Number), part) })
	if err != nil {
		return nil, l.replacedOrLost(ctx, conn, of, err)
	}
	return data, nil
}

func chunkRef(c *recordpb.StoredChunk) blobRef {
	return blobRef{Parts: int(c.Parts), Length: int(c.StoredLength), Raw: int(c.RawLength), Checksum: c.Checksum}
}

// readCheckpointRecord reads <root>/checkpoint and its version. A root made
// before there were checkpoints has none.
func readCheckpointRecord(ctx context.Context, conn Conn, l layout) (checkpointRecord, int64, error) {
	var record checkpointRecord
	data, stat, err := conn.Get(ctx, l.checkpoint())
	if err != nil {
		return record, 0, fmt.Errorf("read %s: %w", l.checkpoint(), err)
	}
	if record, err = parseCheckpointRecord(l, data); err != nil {
		return record, 0, err
	}
	return record, int64(stat.Version), nil
}

func parseCheckpointRecord(l layout, data []byte) (record checkpointRecord, err error) {
	err = json.Unmarshal(data, &record)
	for _, ref := range []*checkpointRef{record.Latest, record.Previous} {
		if err == nil && ref != nil {
			err = ref.check()
		}
	}
	if err == nil && record.Latest == nil && record.Previous != nil {
		err = errors.New("no latest one")
	}
	if err != nil {
		return checkpointRecord{}, fmt.Errorf("%w: %s is not a checkpoint record (%w); restore it from a backup of ZooKeeper", ErrCorrupt, l.checkpoint(), err)
	}
	return record, nil
}

// check is an error for what no checkpoint's place is.
func (r *checkpointRef) check() error {
	attempt, err := parseSegmentRef(r.Attempt)
	if err != nil {
		return err
	}
	if attempt.number != r.Segment || r.Revision < 1 || r.Bytes < 0 {
		return fmt.Errorf("segment %d, revision %d, %d bytes", r.Segment, r.Revision, r.Bytes)
	}
	return r.Manifest.check()
}

func readManifest(ctx context.Context, conn Conn, l layout, ref *checkpointRef) (*recordpb.CheckpointManifest, error) {
	raw, err := readBlob(ctx, conn, ref.Manifest, func(part int) string { return l.manifest(ref.Attempt, part) })
	if err != nil {
		return nil, err
	}
	var manifest recordpb.CheckpointManifest
	if err := proto.Unmarshal(raw, &manifest); err != nil || checkManifest(&manifest) != nil || manifest.Segment != ref.Segment {
		return nil, fmt.Errorf("%w: %s is not the manifest of a checkpoint (%w); restore it from a backup of ZooKeeper",
			ErrCorrupt, l.manifest(ref.Attempt, 0), errors.Join(err, checkManifest(&manifest)))
	}
	return &manifest, nil
}

// checkManifest is an error for what a checkpointWriter never writes.
func checkManifest(m *recordpb.CheckpointManifest) error {
	if m.Meta == nil || m.Segment < 1 {
		return fmt.Errorf("%w: no meta, or no segment", ErrCorrupt)
	}
	for _, c := range append([]*recordpb.StoredChunk{m.Meta}, m.Chunks...) {
		if _, err := parseSegmentRef(c.Attempt); err != nil || c.Number < 0 {
			return fmt.Errorf("%w: chunk %d of %q", ErrCorrupt, c.Number, c.Attempt)
		}
		if err := chunkRef(c).check(); err != nil {
			return fmt.Errorf("chunk %d of %q: %w", c.Number, c.Attempt, err)
		}
	}
	return nil
}

// loadCheckpoint reads the newest checkpoint but for its keys; nil if there is
// none.
func (l *Log) loadCheckpoint(ctx context.Context, conn Conn) (*Checkpoint, error) {
	record, _, err := readCheckpointRecord(ctx, conn, l.layout)
	if err != nil || record.Latest == nil {
		return nil, err
	}
	manifest, err := readManifest(ctx, conn, l.layout, record.Latest)
	if err != nil {
		return nil, l.replacedOrLost(ctx, conn, record.Latest, err)
	}
	m := manifest.Meta
	meta, err := readBlob(ctx, conn, chunkRef(m), func(part int) string { return l.layout.chunk(m.Attempt, int(m.Number), part) })
	if err != nil {
		return nil, l.replacedOrLost(ctx, conn, record.Latest, err)
	}
	l.noteCheckpoints(record)
	keys := &stored{log: l, ref: record.Latest, chunks: manifest.Chunks}
	return &Checkpoint{Segment: manifest.Segment, Meta: meta, RawBytes: keys.rawBytes(), Chunks: keys.yieldChunks}, nil
}

// replacedOrLost judges an error from reading a checkpoint. A znode may be
// missing because a newer checkpoint has replaced this one; if none has, it is
// lost, and trying again would never end.
func (l *Log) replacedOrLost(ctx context.Context, conn Conn, ref *checkpointRef, err error) error {
	if !errors.Is(err, zk.ErrNoNode) {
		return err
	}
	if err := barrier(ctx, conn, l.layout); err != nil {
		return err
	}
	record, _, readErr := readCheckpointRecord(ctx, conn, l.layout)
	if readErr != nil {
		return readErr
	}
	if record.Latest == nil || record.Latest.Attempt != ref.Attempt {
		return err
	}
	return fmt.Errorf("%w: %w; restore it from a backup of ZooKeeper", ErrCorrupt, err)
}
