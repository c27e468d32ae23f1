package zkseed

import (
	"context"

	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/revision/recordpb"
	"github.com/zkine/zkine/revision/zkroot"
)

// placed is a chunk that is on its way to ZooKeeper.
type placed struct {
	chunk   *recordpb.StoredChunk
	written chan struct{} // closed once all of it is there
}

// write stores the chunks, some at once, and the manifest. It tells of each chunk in
// order, of the meta first, before that is written, and closes queue if all went well.
func (s *seeder) write(ctx context.Context, queue chan<- placed) error {
	s.manifest = &recordpb.CheckpointManifest{Segment: Place.Segment, Revision: int64(s.seeding.Revision)}
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(writers)
	next := int32(0)
	begin := func(raw []byte, stored *recordpb.StoredChunk) bool {
		stored.Attempt, stored.Number = s.mark.Attempt, next
		next++
		p := placed{stored, make(chan struct{})}
		select {
		case queue <- p:
		case <-groupCtx.Done():
			return false
		}
		group.Go(func() error {
			err := s.store(groupCtx, raw, stored)
			if err == nil {
				close(p.written)
			}
			return err
		})
		return groupCtx.Err() == nil
	}
	s.manifest.Meta = new(recordpb.StoredChunk)
	begin(s.seeding.Meta, s.manifest.Meta)
	err := s.seeding.Chunks(func(raw []byte) bool {
		c := new(recordpb.StoredChunk)
		s.manifest.Chunks = append(s.manifest.Chunks, c)
		return begin(raw, c)
	})
	if failed := group.Wait(); failed != nil {
		return failed // the source was cut off by it
	}
	if ctx.Err() != nil {
		return context.Cause(ctx) // or by the one that verifies
	}
	if err != nil {
		return err
	}
	close(queue)
	if s.seeding.Written != nil {
		s.seeding.Written()
	}
	return s.writeManifest(ctx)
}

const (
	// writers is how many chunks are compressed and written at once. Each may be some
	// MiB.
	writers = 4
	// queued is by how many chunks the writers may be ahead of the one that verifies.
	queued = 64
)

// store writes a chunk and describes it.
func (s *seeder) store(ctx context.Context, raw []byte, c *recordpb.StoredChunk) error {
	ref, err := s.blob(ctx, raw, func(part int) string { return s.layout.Chunk(c.Attempt, int(c.Number), part) })
	zkroot.DescribeChunk(c, ref)
	c.Hash = zkroot.ChunkHash(raw)
	if err == nil && s.seeding.Wrote != nil && c != s.manifest.Meta {
		s.telling.Lock()
		defer s.telling.Unlock()
		s.seeding.Wrote(len(raw))
	}
	return err
}

func (s *seeder) writeManifest(ctx context.Context) error {
	raw, err := proto.Marshal(s.manifest)
	if err != nil {
		return err
	}
	s.ref = zkroot.CheckpointRef{Attempt: s.mark.Attempt, Segment: Place.Segment, Revision: s.seeding.Revision}
	s.ref.Manifest, err = s.blob(ctx, raw, func(part int) string { return s.layout.Manifest(s.mark.Attempt, part) })
	s.ref.Bytes = int64(s.ref.Manifest.Length) + int64(s.manifest.Meta.StoredLength)
	for _, c := range s.manifest.Chunks {
		s.ref.Bytes += int64(c.StoredLength)
	}
	return err
}
