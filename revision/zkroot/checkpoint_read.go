package zkroot

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/go-zookeeper/zk"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
)

// A checkpoint is the whole state after a segment's last slot. It is written
// into a folder of its own, an attempt, and takes chunks over from the one
// before that have not changed. It counts once <root>/checkpoint names it,
// which one multi does that checks that znode's version: of two writers one
// wins, and an attempt begun before the latest switch can never win any more.
//
// No member relies on a checkpoint for what it has applied. A checkpoint only
// spares starting members the log before it, which therefore may go.

// ChunkRef is what a manifest says of a chunk's bytes.
func ChunkRef(c *recordpb.StoredChunk) BlobRef {
	return BlobRef{Parts: int(c.Parts), Length: int(c.StoredLength), Raw: int(c.RawLength), Checksum: c.Checksum}
}

// DescribeChunk notes in a manifest's entry how its bytes are stored: what ChunkRef reads.
func DescribeChunk(c *recordpb.StoredChunk, ref BlobRef) {
	c.Parts, c.StoredLength, c.RawLength, c.Checksum = int32(ref.Parts), uint32(ref.Length), uint32(ref.Raw), ref.Checksum
}

// ChunkHash is by what a chunk is known again: the next checkpoint takes over one that is
// the same.
func ChunkHash(raw []byte) []byte {
	sum := sha256.Sum256(raw)
	return sum[:16]
}

// Checkpoints reads <root>/checkpoint and its version. A root made before there
// were checkpoints has none.
func (r Reader) Checkpoints(ctx context.Context) (CheckpointRecord, int64, error) {
	var record CheckpointRecord
	data, stat, err := r.conn.Get(ctx, r.layout.Checkpoint())
	if err != nil {
		return record, 0, fmt.Errorf("read %s: %w", r.layout.Checkpoint(), err)
	}
	if record, err = parseCheckpointRecord(r.layout, data); err != nil {
		return record, 0, err
	}
	return record, int64(stat.Version), nil
}

// CheckpointAge reads <root>/checkpoint, and when it was written, by ZooKeeper's clock.
func (r Reader) CheckpointAge(ctx context.Context) (CheckpointRecord, time.Time, error) {
	stat, err := r.conn.Exists(ctx, r.layout.Checkpoint())
	if err != nil {
		return CheckpointRecord{}, time.Time{}, fmt.Errorf("look at %s: %w", r.layout.Checkpoint(), err)
	}
	record, _, err := r.Checkpoints(ctx)
	return record, time.UnixMilli(stat.Mtime).UTC(), err
}

func parseCheckpointRecord(l Layout, data []byte) (record CheckpointRecord, err error) {
	err = json.Unmarshal(data, &record)
	for _, ref := range []*CheckpointRef{record.Latest, record.Previous} {
		if err == nil && ref != nil {
			err = ref.check()
		}
	}
	if err == nil && record.Latest == nil && record.Previous != nil {
		err = errors.New("no latest one")
	}
	if err != nil {
		return CheckpointRecord{}, fmt.Errorf("%w: %s is not a checkpoint record (%w); restore it from a backup of ZooKeeper", revision.ErrCorrupt, l.Checkpoint(), err)
	}
	return record, nil
}

// check is an error for what no checkpoint's place is.
func (r *CheckpointRef) check() error {
	attempt, err := ParseSegmentRef(r.Attempt)
	if err != nil {
		return err
	}
	if attempt.Number != r.Segment || r.Revision < 1 || r.Bytes < 0 {
		return fmt.Errorf("segment %d, revision %d, %d bytes", r.Segment, r.Revision, r.Bytes)
	}
	return r.Manifest.check()
}

// Manifest reads a checkpoint's list of chunks.
func (r Reader) Manifest(ctx context.Context, ref *CheckpointRef) (*recordpb.CheckpointManifest, error) {
	raw, err := r.blob(ctx, ref.Manifest, func(part int) string { return r.layout.Manifest(ref.Attempt, part) })
	if err != nil {
		return nil, err
	}
	var manifest recordpb.CheckpointManifest
	if err := proto.Unmarshal(raw, &manifest); err != nil || checkManifest(&manifest) != nil || manifest.Segment != ref.Segment {
		return nil, fmt.Errorf("%w: %s is not the manifest of a checkpoint (%w); restore it from a backup of ZooKeeper",
			revision.ErrCorrupt, r.layout.Manifest(ref.Attempt, 0), errors.Join(err, checkManifest(&manifest)))
	}
	return &manifest, nil
}

// Chunk reads a chunk of a checkpoint.
func (r Reader) Chunk(ctx context.Context, c *recordpb.StoredChunk) ([]byte, error) {
	return r.blob(ctx, ChunkRef(c), func(part int) string { return r.layout.Chunk(c.Attempt, int(c.Number), part) })
}

// checkManifest is an error for what a checkpointWriter never writes.
func checkManifest(m *recordpb.CheckpointManifest) error {
	if m.Meta == nil || m.Segment < 1 {
		return fmt.Errorf("%w: no meta, or no segment", revision.ErrCorrupt)
	}
	for _, c := range append([]*recordpb.StoredChunk{m.Meta}, m.Chunks...) {
		if _, err := ParseSegmentRef(c.Attempt); err != nil || c.Number < 0 {
			return fmt.Errorf("%w: chunk %d of what is no attempt", revision.ErrCorrupt, c.Number)
		}
		if err := ChunkRef(c).check(); err != nil {
			return fmt.Errorf("chunk %d of %q: %w", c.Number, c.Attempt, err)
		}
	}
	return nil
}

// NewestCheckpoint is the newest checkpoint of a root, but for its keys.
type NewestCheckpoint struct {
	Record   CheckpointRecord // names it as the latest
	Manifest *recordpb.CheckpointManifest
	Meta     []byte
}

// Newest reads the newest checkpoint but for its keys; nil if there is none.
func (r Reader) Newest(ctx context.Context) (*NewestCheckpoint, error) {
	record, _, err := r.Checkpoints(ctx)
	if err != nil || record.Latest == nil {
		return nil, err
	}
	n := &NewestCheckpoint{Record: record}
	if n.Manifest, err = r.Manifest(ctx, record.Latest); err == nil {
		n.Meta, err = r.Chunk(ctx, n.Manifest.Meta)
	}
	if err != nil {
		return nil, r.ReplacedOrLost(ctx, record.Latest, err)
	}
	return n, nil
}

// ReplacedOrLost judges an error from reading a checkpoint. A znode may be
// missing because a newer checkpoint has replaced this one; if none has, it is
// lost, and trying again would never end.
func (r Reader) ReplacedOrLost(ctx context.Context, ref *CheckpointRef, err error) error {
	return r.lostIf(ctx, func(record CheckpointRecord) bool { return ref.isSame(record.Latest) }, err, err)
}

// isSame says whether both are of the same attempt; other may be nil.
func (r *CheckpointRef) isSame(other *CheckpointRef) bool {
	return other != nil && other.Attempt == r.Attempt
}

// lostIf judges an error from reading a checkpoint: ErrCorrupt if a znode is missing of
// one that the record, as it is now, says is kept; otherwise if it is not kept any more.
// Other errors stay as they are.
func (r Reader) lostIf(ctx context.Context, kept func(CheckpointRecord) bool, err, otherwise error) error {
	if !errors.Is(err, zk.ErrNoNode) {
		return err
	}
	if err := r.Barrier(ctx); err != nil {
		return err
	}
	record, _, readErr := r.Checkpoints(ctx)
	if readErr != nil {
		return readErr
	}
	if !kept(record) {
		return otherwise
	}
	return fmt.Errorf("%w: %w; restore it from a backup of ZooKeeper", revision.ErrCorrupt, err)
}
