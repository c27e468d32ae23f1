package backend

import (
	"context"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/backend/state"
)

// firstChunk is how many keys the first chunk of a RangeStream holds at most;
// etcd's figure, so that a client sees something soon.
const firstChunk = 10

// RangeStream answers a range in chunks of about chunkBytes. The revision is
// the one at the start; it cannot be compacted away before the end, unless the
// client named an older one and did not ask for an order of its own. Header, more
// and count come with the last chunk, as in etcd.
func (b *Backend) RangeStream(ctx context.Context, r *pb.RangeRequest, chunkBytes int, send func(*pb.RangeStreamResponse) error) error {
	if !r.Serializable {
		if err := b.reads.wait(ctx); err != nil {
			return err
		}
	}
	if err := b.failure(); err != nil {
		return err
	}
	c, err := b.authorize(ctx, r)
	if err != nil {
		return err
	}
	s, err := newChunker(c.view, r, chunkBytes)
	if err != nil {
		return err
	}
	for last := false; !last; {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		var response *pb.RangeResponse
		var err error
		if response, last, err = s.next(); err != nil {
			return err
		}
		if err := send(&pb.RangeStreamResponse{RangeResponse: response}); err != nil {
			return err
		}
	}
	return nil
}

// chunker makes the chunks of a RangeStream.
type chunker interface {
	// next returns the next chunk and whether it is the last.
	next() (*pb.RangeResponse, bool, error)
}

func newChunker(v *state.View, r *pb.RangeRequest, chunkBytes int) (chunker, error) {
	if r.SortTarget == pb.RangeRequest_KEY || r.CountOnly {
		return &rangeStream{view: v, request: r, chunk: firstChunk, chunkBytes: chunkBytes}, nil
	}
	return newSortedStream(v, r, chunkBytes)
}

// rangeStream is a RangeStream under way, in the order of the keys.
type rangeStream struct {
	view       *state.View
	request    *pb.RangeRequest
	after      []byte // where the next chunk starts; nil at the start
	sent       int64
	chunk      int64 // keys in the next chunk
	chunkBytes int
}

func (s *rangeStream) next() (*pb.RangeResponse, bool, error) {
	r := proto.CloneOf(s.request)
	if s.after != nil {
		r.Key = s.after
	}
	left := s.request.Limit - s.sent // only meaningful with a limit
	limited := s.request.Limit > 0
	r.Limit = s.chunk
	if limited {
		r.Limit = min(s.chunk, left)
	}
	response, err := s.view.Range(r)
	if err != nil {
		return nil, false, err
	}
	fits, size := fitting(response.Kvs, s.chunkBytes)
	n := int64(fits)
	if fits == len(response.Kvs) && (!response.More || limited && n == left || n == 0) {
		response.Count += s.sent
		return response, true, nil
	}
	response.Kvs = response.Kvs[:fits]
	s.sent += n
	s.after = append(append([]byte(nil), response.Kvs[n-1].Key...), 0)
	s.chunk = adapt(s.chunk, size, s.chunkBytes)
	return &pb.RangeResponse{Kvs: response.Kvs}, false, nil
}

// fitting is how many keys come in a chunk, and about how many bytes they are:
// none after those that make chunkBytes. Large values can follow on many small
// ones.
func fitting(kvs []*mvccpb.KeyValue, chunkBytes int) (n, size int) {
	const numbers = 24 // revisions, version, lease, tags and lengths, usually
	for i, kv := range kvs {
		if size += len(kv.Key) + len(kv.Value) + numbers; size >= chunkBytes {
			return i + 1, size
		}
	}
	return len(kvs), size
}

// adapt doubles or halves the next chunk towards chunkBytes.
func adapt(chunk int64, size, chunkBytes int) int64 {
	switch {
	case size < chunkBytes/2:
		return chunk * 2
	case size > chunkBytes && chunk > 1:
		return chunk / 2
	}
	return chunk
}

// sortedStream is a RangeStream under way that is sorted by something else than
// the keys. The whole range is sorted before the first chunk, as references into
// the view. (etcd sorts each chunk by itself, and goes on after the key that came
// last in it: with more keys than the first chunk has, some come twice or never.)
type sortedStream struct {
	listing    *state.Listing
	chunk      int64 // keys in the next chunk
	chunkBytes int
}

func newSortedStream(v *state.View, r *pb.RangeRequest, chunkBytes int) (*sortedStream, error) {
	l, err := v.List(r)
	if err != nil {
		return nil, err
	}
	return &sortedStream{listing: l, chunk: firstChunk, chunkBytes: chunkBytes}, nil
}

func (s *sortedStream) next() (*pb.RangeResponse, bool, error) {
	l := s.listing
	response := &pb.RangeResponse{Kvs: l.Next(int(s.chunk), s.chunkBytes)}
	if l.Left() == 0 {
		response.Header = &pb.ResponseHeader{Revision: int64(l.Rev)}
		response.Count, response.More = l.Count, l.More
		return response, true, nil
	}
	_, size := fitting(response.Kvs, s.chunkBytes)
	s.chunk = adapt(s.chunk, size, s.chunkBytes)
	return response, false, nil
}
