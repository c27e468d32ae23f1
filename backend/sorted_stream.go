package backend

import (
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/backend/state"
)

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
