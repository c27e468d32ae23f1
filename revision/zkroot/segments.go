package zkroot

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"sort"
	"strconv"
	"strings"

	"github.com/go-zookeeper/zk"

	"github.com/zkine/zkine/revision"
)

// SegmentRef is a segment's number and the name of its znode.
type SegmentRef struct {
	Number int64
	Name   string
}

// NewSegmentRef names a new segment; random is a source that never fails.
func NewSegmentRef(number int64, random io.Reader) SegmentRef {
	var suffix [4]byte
	revision.Draw(random, suffix[:])
	return SegmentRef{number, fmt.Sprintf("%d-%s", number, hex.EncodeToString(suffix[:]))}
}

// ParseSegmentRef reads a segment's name. Error: ErrCorrupt, without the name:
// where that is data, it may be anything.
func ParseSegmentRef(name string) (SegmentRef, error) {
	digits, suffix, found := strings.Cut(name, "-")
	n, err := strconv.ParseInt(digits, 10, 64)
	// It becomes a part of paths: nothing else may be hidden in it.
	_, notHex := hex.DecodeString(suffix)
	if !found || err != nil || n < 1 || strconv.FormatInt(n, 10) != digits || notHex != nil || len(suffix) > 32 {
		return SegmentRef{}, fmt.Errorf("%w: not a segment's name", revision.ErrCorrupt)
	}
	return SegmentRef{n, name}, nil
}

// Open reads which segment is open.
func (r Reader) Open(ctx context.Context) (SegmentRef, error) {
	data, stat, err := r.conn.Get(ctx, r.layout.Log())
	if err != nil {
		return SegmentRef{}, fmt.Errorf("read %s: %w", r.layout.Log(), err)
	}
	return ParseOpen(r.layout, data, stat)
}

// ParseOpen judges the data of <root>/log.
func ParseOpen(l Layout, data []byte, stat *zk.Stat) (SegmentRef, error) {
	var record OpenRecord
	if err := json.Unmarshal(data, &record); err != nil {
		return SegmentRef{}, fmt.Errorf("%w: %s is not an open-segment record; restore it from a backup", revision.ErrCorrupt, l.Log())
	}
	ref, err := ParseSegmentRef(record.OpenSegment)
	if err != nil {
		return SegmentRef{}, fmt.Errorf("%s: %w", l.Log(), err)
	}
	if ref.Number != int64(stat.Version) {
		return SegmentRef{}, fmt.Errorf("%w: %s names segment %s at version %d: someone else has written to it",
			revision.ErrCorrupt, l.Log(), ref.Name, stat.Version)
	}
	return ref, nil
}

// Segments lists the segments in order of their numbers, and refuses strangers
// among them.
func (r Reader) Segments(ctx context.Context) ([]SegmentRef, error) {
	names, err := r.conn.Children(ctx, r.layout.Log())
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", r.layout.Log(), err)
	}
	refs := make([]SegmentRef, 0, len(names))
	for _, name := range names {
		ref, err := ParseSegmentRef(name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w; remove what does not belong there", r.layout.Segment(name), err)
		}
		refs = append(refs, ref)
	}
	sort.Slice(refs, func(i, j int) bool { return refs[i].Number < refs[j].Number })
	for i := 1; i < len(refs); i++ {
		if refs[i].Number == refs[i-1].Number {
			return nil, fmt.Errorf("%w: %s holds two segments numbered %d; remove what does not belong there",
				revision.ErrCorrupt, r.layout.Log(), refs[i].Number)
		}
	}
	return refs, nil
}

// SegmentAfter returns the segment after k. If it is not there, it was removed
// behind a checkpoint (ErrTrimmed), or is lost.
func (r Reader) SegmentAfter(ctx context.Context, k int64) (SegmentRef, error) {
	refs, err := r.Segments(ctx)
	if err != nil {
		return SegmentRef{}, err
	}
	i := sort.Search(len(refs), func(i int) bool { return refs[i].Number > k })
	if i < len(refs) && refs[i].Number == k+1 {
		return refs[i], nil
	}
	if err := r.Trimmed(ctx, k+1); err != nil {
		return SegmentRef{}, err
	}
	return SegmentRef{}, fmt.Errorf("%w: segment %d is missing under %s; restore it from a backup of ZooKeeper",
		revision.ErrCorrupt, k+1, r.layout.Log())
}

// Trimmed returns ErrTrimmed if segment k may have been removed, because a
// checkpoint covers it that is not the latest; nil if it must be there.
func (r Reader) Trimmed(ctx context.Context, k int64) error {
	record, _, err := r.Checkpoints(ctx)
	if err != nil {
		return err
	}
	if record.Previous != nil && k <= record.Previous.Segment {
		return fmt.Errorf("%w: segment %d is gone, the newest checkpoint covers up to %d", revision.ErrTrimmed, k, record.Latest.Segment)
	}
	return nil
}
