package revision

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
)

// segmentRef is a segment's number and the name of its znode.
type segmentRef struct {
	number int64
	name   string
}

func newSegmentRef(number int64, random io.Reader) segmentRef {
	var suffix [4]byte
	Draw(random, suffix[:])
	return segmentRef{number, fmt.Sprintf("%d-%s", number, hex.EncodeToString(suffix[:]))}
}

func parseSegmentRef(name string) (segmentRef, error) {
	digits, suffix, found := strings.Cut(name, "-")
	n, err := strconv.ParseInt(digits, 10, 64)
	// It becomes a part of paths: nothing else may be hidden in it.
	_, notHex := hex.DecodeString(suffix)
	if !found || err != nil || n < 1 || strconv.FormatInt(n, 10) != digits || notHex != nil || len(suffix) > 32 {
		return segmentRef{}, fmt.Errorf("%w: %q is not a segment's name", ErrCorrupt, name)
	}
	return segmentRef{n, name}, nil
}

// open reads which segment is open.
func (r Reader) open(ctx context.Context) (segmentRef, error) {
	data, stat, err := r.conn.Get(ctx, r.layout.log())
	if err != nil {
		return segmentRef{}, fmt.Errorf("read %s: %w", r.layout.log(), err)
	}
	return parseOpen(r.layout, data, stat)
}

// parseOpen judges the data of <root>/log.
func parseOpen(l layout, data []byte, stat *zk.Stat) (segmentRef, error) {
	var record openRecord
	if err := json.Unmarshal(data, &record); err != nil {
		return segmentRef{}, fmt.Errorf("%w: %s is not an open-segment record; restore it from a backup", ErrCorrupt, l.log())
	}
	ref, err := parseSegmentRef(record.OpenSegment)
	if err != nil {
		return segmentRef{}, fmt.Errorf("%s: %w", l.log(), err)
	}
	if ref.number != int64(stat.Version) {
		return segmentRef{}, fmt.Errorf("%w: %s names segment %s at version %d: someone else has written to it",
			ErrCorrupt, l.log(), ref.name, stat.Version)
	}
	return ref, nil
}

// segments lists the segments in order of their numbers, and refuses strangers
// among them.
func (r Reader) segments(ctx context.Context) ([]segmentRef, error) {
	names, err := r.conn.Children(ctx, r.layout.log())
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", r.layout.log(), err)
	}
	refs := make([]segmentRef, 0, len(names))
	for _, name := range names {
		ref, err := parseSegmentRef(name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w; remove what does not belong there", r.layout.segment(name), err)
		}
		refs = append(refs, ref)
	}
	sort.Slice(refs, func(i, j int) bool { return refs[i].number < refs[j].number })
	for i := 1; i < len(refs); i++ {
		if refs[i].number == refs[i-1].number {
			return nil, fmt.Errorf("%w: %s holds two segments numbered %d; remove what does not belong there",
				ErrCorrupt, r.layout.log(), refs[i].number)
		}
	}
	return refs, nil
}

// segmentAfter returns the segment after k. If it is not there, it was removed
// behind a checkpoint (ErrTrimmed), or is lost.
func (r Reader) segmentAfter(ctx context.Context, k int64) (segmentRef, error) {
	refs, err := r.segments(ctx)
	if err != nil {
		return segmentRef{}, err
	}
	i := sort.Search(len(refs), func(i int) bool { return refs[i].number > k })
	if i < len(refs) && refs[i].number == k+1 {
		return refs[i], nil
	}
	if err := r.trimmed(ctx, k+1); err != nil {
		return segmentRef{}, err
	}
	return segmentRef{}, fmt.Errorf("%w: segment %d is missing under %s; restore it from a backup of ZooKeeper",
		ErrCorrupt, k+1, r.layout.log())
}

// trimmed returns ErrTrimmed if segment k may have been removed, because a
// checkpoint covers it that is not the latest; nil if it must be there.
func (r Reader) trimmed(ctx context.Context, k int64) error {
	record, _, err := r.checkpoints(ctx)
	if err != nil {
		return err
	}
	if record.Previous != nil && k <= record.Previous.Segment {
		return fmt.Errorf("%w: segment %d is gone, the newest checkpoint covers up to %d", ErrTrimmed, k, record.Latest.Segment)
	}
	return nil
}
