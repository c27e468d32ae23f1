package zkroot

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"

	"github.com/go-zookeeper/zk"
	"github.com/klauspost/compress/zstd"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zkclient"
)

// A blob is bytes too many for one znode: compressed, and cut into parts. The
// caller keeps the BlobRef, which verifies what is read back.

// blobEncoder is as fast as a slot's. In runs of objects that are alike, as
// neighbours in the order of keys are, the better levels save nothing to speak
// of (pods: 6.4 % of the raw bytes, 6.0 % at the default level) for three times
// the time, which clients would miss.
var blobEncoder, _ = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
	zstd.WithWindowSize(zstdWindow))

// EncodeBlob compresses raw and describes the result, cut at limit bytes.
func EncodeBlob(raw []byte, limit int) ([]byte, BlobRef) {
	stored := Compress(raw)
	return stored, BlobRef{
		Parts: max(1, (len(stored)+limit-1)/limit), Length: len(stored), Raw: len(raw),
		Checksum: crc32.Checksum(stored, castagnoli),
	}
}

// check is an error for what EncodeBlob never says of a blob.
func (r BlobRef) check() error {
	if r.Length < 0 || r.Length > MaxRaw || r.Raw < 0 || r.Raw > MaxRaw || r.Parts < 1 || r.Parts > max(1, r.Length) {
		return fmt.Errorf("%w: a blob of %d bytes, %d stored, in %d parts", revision.ErrCorrupt, r.Raw, r.Length, r.Parts)
	}
	return nil
}

// Span is which of the stored bytes a part holds.
func (r BlobRef) Span(part int) (from, to int) {
	size := (r.Length + r.Parts - 1) / r.Parts
	return min(part*size, r.Length), min((part+1)*size, r.Length)
}

// WriteBlob creates the parts of a blob under the names that name gives. Each
// carries the guard along: if that fails, so does the write. A part that
// exists is from an earlier try of the same write.
func WriteBlob(ctx context.Context, conn Nodes, stored []byte, ref BlobRef, guard any, name func(part int) string) error {
	for i := range ref.Parts {
		from, to := ref.Span(i)
		_, err := conn.Multi(ctx, guard, zkclient.CreateOp(name(i), stored[from:to]))
		if err != nil && !errors.Is(err, zk.ErrNodeExists) {
			return fmt.Errorf("write %s: %w", name(i), err)
		}
	}
	return nil
}

// blob puts a blob together and verifies it. zk.ErrNoNode if a part is missing,
// ErrCorrupt if the bytes are others.
func (r Reader) blob(ctx context.Context, ref BlobRef, name func(part int) string) ([]byte, error) {
	if err := ref.check(); err != nil {
		return nil, fmt.Errorf("%s: %w; restore what names it from a backup of ZooKeeper", name(0), err)
	}
	var stored []byte
	for i := range ref.Parts {
		part, _, err := r.conn.Get(ctx, name(i))
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name(i), err)
		}
		if from, to := ref.Span(i); len(part) != to-from {
			return nil, fmt.Errorf("%w: %s holds %d bytes, %d were written; restore it from a backup of ZooKeeper", revision.ErrCorrupt, name(i), len(part), to-from)
		}
		if stored = append(stored, part...); i == 0 && ref.Parts > 1 {
			// The first part is as large as any, and shows that they are what
			// they are said to be.
			stored = slices.Grow(stored, ref.Length-len(stored))
		}
	}
	if len(stored) != ref.Length || crc32.Checksum(stored, castagnoli) != ref.Checksum {
		return nil, fmt.Errorf("%w: %s and its parts do not hold what was written; restore them from a backup of ZooKeeper", revision.ErrCorrupt, name(0))
	}
	raw, err := unpack(stored, ref.Raw, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w; restore it from a backup of ZooKeeper", revision.ErrCorrupt, name(0), err)
	}
	return raw, nil
}
