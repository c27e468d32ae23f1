package zksurvey

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-zookeeper/zk"
	"golang.org/x/sync/errgroup"

	"github.com/zkine/zkine/revision/zkroot"
)

// Survey looks at a root on one session, which stays the caller's.
type Survey struct {
	conn   zkroot.Nodes
	layout zkroot.Layout
}

// New looks at the root of a layout.
func New(conn zkroot.Nodes, l zkroot.Layout) Survey { return Survey{conn, l} }

// SegmentSize is what a segment takes in ZooKeeper.
type SegmentSize struct {
	zkroot.SegmentRef
	// Slots is how many it has, of which Own are znodes of their own, and the others
	// in Packs packs. Parts are the staged ones of large batches.
	Slots             int64
	Own, Packs, Parts int
	// LogBytes, PackedBytes and StagedBytes are what these hold.
	LogBytes, PackedBytes, StagedBytes int64
	// Written is when the segment was written to last, by ZooKeeper's clock.
	Written time.Time
}

// Bytes is all that it holds.
func (s SegmentSize) Bytes() int64 { return s.LogBytes + s.PackedBytes + s.StagedBytes }

// Znodes is how many it has, the folders aside.
func (s SegmentSize) Znodes() int { return s.Own + s.Packs + s.Parts }

// looksAhead is how many znodes are looked at at once.
const looksAhead = 32

// Segment looks at each znode of a segment, without reading what it holds.
// looked hears how many were looked at; it may be nil. What a keeper removes by then
// is left out. Errors: zk.ErrNoNode if the segment is gone; the session's.
func (s Survey) Segment(ctx context.Context, ref zkroot.SegmentRef, looked func(znodes int)) (SegmentSize, error) {
	size := SegmentSize{SegmentRef: ref}
	stat, err := s.conn.Exists(ctx, s.layout.Segment(ref.Name))
	if err != nil {
		return size, fmt.Errorf("look at %s: %w", s.layout.Segment(ref.Name), err)
	}
	size.Slots, size.Written = int64(stat.Version), time.UnixMilli(stat.Mtime).UTC()
	for _, part := range []struct {
		folder string
		count  *int
		bytes  *int64
	}{
		{s.layout.Segment(ref.Name), &size.Own, &size.LogBytes},
		{s.layout.Pack(ref.Name), &size.Packs, &size.PackedBytes},
		{s.layout.Stage(ref.Name), &size.Parts, &size.StagedBytes},
	} {
		if *part.count, *part.bytes, err = s.Folder(ctx, part.folder, looked); err != nil {
			return size, err
		}
	}
	return size, nil
}

// Folder counts the znodes directly below one, and the bytes of data that they
// hold; none if it is not there. looked is as for Segment.
func (s Survey) Folder(ctx context.Context, folder string, looked func(znodes int)) (count int, bytes int64, err error) {
	names, err := s.conn.Children(ctx, folder)
	if errors.Is(err, zk.ErrNoNode) {
		return 0, 0, nil
	}
	if err != nil {
		return 0, 0, fmt.Errorf("list %s: %w", folder, err)
	}
	for len(names) > 0 {
		some := names[:min(len(names), looksAhead)]
		names = names[len(some):]
		sizes := make([]int64, len(some))
		group, ctx := errgroup.WithContext(ctx)
		for i, name := range some {
			group.Go(func() error {
				stat, err := s.conn.Exists(ctx, folder+"/"+name)
				switch {
				case errors.Is(err, zk.ErrNoNode):
					sizes[i] = -1
				case err != nil:
					return fmt.Errorf("look at %s/%s: %w", folder, name, err)
				default:
					sizes[i] = int64(stat.DataLength)
				}
				return nil
			})
		}
		if err := group.Wait(); err != nil {
			return 0, 0, err
		}
		for _, n := range sizes {
			if n >= 0 {
				count, bytes = count+1, bytes+n
			}
		}
		if looked != nil {
			looked(len(some))
		}
	}
	return count, bytes, nil
}
