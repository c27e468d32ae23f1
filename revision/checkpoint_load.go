package revision

import (
	"context"
	"iter"

	"github.com/zkine/zkine/revision/recordpb"
)

// Checkpoint returns the checkpoint after which Next begins to deliver; false
// if it begins with the first slot there ever was.
func (l *Log) Checkpoint() (*Checkpoint, bool) { return l.loaded, l.loaded != nil }

// checkpointOf makes a checkpoint that was found what Checkpoint returns.
func (l *Log) checkpointOf(n *newestCheckpoint) *Checkpoint {
	keys := &stored{log: l, ref: n.record.Latest, chunks: n.manifest.Chunks}
	return &Checkpoint{Segment: n.manifest.Segment, Meta: n.meta, RawBytes: keys.rawBytes(), Chunks: keys.yieldChunks}
}

// stored is the keys of a checkpoint in ZooKeeper.
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
					data, err := s.read(ctx, chunk)
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

// read reads a chunk on the session that is up now.
func (s *stored) read(ctx context.Context, c *recordpb.StoredChunk) ([]byte, error) {
	conn, err := s.log.session.get(ctx)
	if err != nil {
		return nil, err
	}
	r := s.log.on(conn)
	data, err := r.chunk(ctx, c)
	if err != nil {
		return nil, r.replacedOrLost(ctx, s.ref, err)
	}
	return data, nil
}
