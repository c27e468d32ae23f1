package zkseed

import (
	"context"
	"fmt"
	"iter"

	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zkroot"
)

// verify has what is written judged, as a zkine will read it: nothing of it is taken
// from memory but where the chunks lie.
func (s *seeder) verify(ctx context.Context, queue <-chan placed) error {
	if s.seeding.Verify != nil {
		p, _ := next(ctx, queue) // without one, ctx has ended
		meta := s.read(ctx, p)
		if meta.err != nil {
			return meta.err
		}
		cp := &revision.Checkpoint{Segment: Place.Segment, Meta: meta.raw}
		cp.Chunks = func(ctx context.Context) iter.Seq2[[]byte, error] { return s.readBack(ctx, queue) }
		if err := s.seeding.Verify(ctx, cp); err != nil {
			return err
		}
	}
	for more := true; more; { // of what Verify did not ask for
		_, more = next(ctx, queue)
	}
	return nil
}

// next is false if there are no more chunks, or ctx has ended.
func next(ctx context.Context, queue <-chan placed) (p placed, more bool) {
	select {
	case p, more = <-queue:
	case <-ctx.Done():
	}
	return p, more
}

// checkManifest is an error unless the manifest is read back as it was written.
func (s *seeder) checkManifest(ctx context.Context) error {
	return s.session.do(ctx, func(conn zkclient.Conn) error {
		got, err := zkroot.NewReader(conn, s.layout).Manifest(ctx, &s.ref)
		if err == nil && !proto.Equal(got, s.manifest) {
			err = fmt.Errorf("%w: a manifest that is not the one that was written", revision.ErrCorrupt)
		}
		return err
	})
}

// readers is how many chunks are read at once. Each may be some MiB.
const readers = 4

type readChunk struct {
	raw []byte
	err error
}

// readBack yields chunks in order, once each is written.
func (s *seeder) readBack(ctx context.Context, queue <-chan placed) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		reading := make(chan chan readChunk, readers-1)
		go func() {
			defer close(reading)
			for p, more := next(ctx, queue); more; p, more = next(ctx, queue) {
				one := make(chan readChunk, 1)
				go func() { one <- s.read(ctx, p) }()
				reading <- one // what takes them goes on until the channel is closed
			}
			if ctx.Err() != nil {
				one := make(chan readChunk, 1)
				one <- readChunk{err: context.Cause(ctx)}
				reading <- one
			}
		}()
		for one := range reading {
			if r := <-one; !yield(r.raw, r.err) || r.err != nil {
				cancel()
				break
			}
		}
		for one := range reading {
			<-one // until all goroutines have ended
		}
	}
}

// read reads a chunk once it is written.
func (s *seeder) read(ctx context.Context, p placed) (r readChunk) {
	select {
	case <-p.written:
	case <-ctx.Done():
		return readChunk{err: context.Cause(ctx)}
	}
	r.raw, r.err = s.chunk(ctx, p.chunk)
	return r
}

func (s *seeder) chunk(ctx context.Context, c *recordpb.StoredChunk) (raw []byte, err error) {
	err = s.session.do(ctx, func(conn zkclient.Conn) error {
		raw, err = zkroot.NewReader(conn, s.layout).Chunk(ctx, c)
		return err
	})
	return raw, err
}
