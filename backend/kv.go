package backend

import (
	"context"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/backend/watch"
	"github.com/zkine/zkine/revision/recordpb"
)

// Range answers from memory; linearizable unless r.Serializable.
func (b *Backend) Range(ctx context.Context, r *pb.RangeRequest) (*pb.RangeResponse, error) {
	evaluate := func() (*pb.RangeResponse, error) {
		c, err := b.reader(ctx, r)
		if err != nil {
			return nil, err
		}
		began := time.Now()
		resp, err := c.view.Range(r)
		b.metrics.Ranged(time.Since(began), err)
		return resp, err
	}
	if r.Serializable {
		return evaluate()
	}
	return linearizable(ctx, b.calls, evaluate)
}

// reader authorizes a read and has the view that answers it. Errors: those of
// authorize; why the backend has failed.
func (b *Backend) reader(ctx context.Context, r proto.Message) (caller, error) {
	if err := b.failure(); err != nil {
		return caller{}, err
	}
	return b.authorize(ctx, r)
}

// linearizable evaluates a read on a view that shows every write that any client had
// seen before the call, on any zkine: by the read lease, or behind a barrier.
func linearizable[T any](ctx context.Context, s *calls, evaluate func() (T, error)) (T, error) {
	if token, ok := s.lease.Begin(ctx); ok {
		// A freeze after this shows in Valid, which comes last.
		if out, err := evaluate(); s.lease.Valid(token) {
			return out, err
		}
	}
	if err := s.reads.wait(ctx); err != nil {
		var none T
		return none, err
	}
	return evaluate()
}

// Put stores a key.
func (b *Backend) Put(ctx context.Context, r *pb.PutRequest) (*pb.PutResponse, error) {
	if err := b.admit(ctx, putCost(r)); err != nil {
		return nil, err
	}
	return propose[*pb.PutResponse](ctx, b.calls, r, &recordpb.Request{Kind: &recordpb.Request_Put{Put: r}})
}

// DeleteRange deletes keys, all in one revision.
func (b *Backend) DeleteRange(ctx context.Context, r *pb.DeleteRangeRequest) (*pb.DeleteRangeResponse, error) {
	return propose[*pb.DeleteRangeResponse](ctx, b.calls, r,
		&recordpb.Request{Kind: &recordpb.Request_DeleteRange{DeleteRange: r}})
}

// Txn runs a transaction. One that cannot write does not go through the log.
func (b *Backend) Txn(ctx context.Context, r *pb.TxnRequest) (*pb.TxnResponse, error) {
	if !state.IsReadOnly(r) {
		if err := b.view.Load().Afford(r); err != nil {
			return nil, err
		}
		if err := b.admit(ctx, txnCost(r)); err != nil {
			return nil, err
		}
		return propose[*pb.TxnResponse](ctx, b.calls, r, &recordpb.Request{Kind: &recordpb.Request_Txn{Txn: r}})
	}
	evaluate := func() (*pb.TxnResponse, error) {
		c, err := b.reader(ctx, r)
		if err != nil {
			return nil, err
		}
		if err := c.view.Afford(r); err != nil {
			return nil, err
		}
		resp, err := c.view.ReadTxn(r)
		b.metrics.Worked(readWork(r, resp))
		return resp, err
	}
	if state.IsSerializable(r) {
		return evaluate()
	}
	return linearizable(ctx, b.calls, evaluate)
}

// readWork is what a transaction did that only reads. Of comparisons that do not hold
// the first one is counted.
func readWork(r *pb.TxnRequest, resp *pb.TxnResponse) (w state.Work) {
	w.Ranges, w.Compares = len(resp.GetResponses()), min(len(r.Compare), 1)
	if resp.GetSucceeded() {
		w.Compares = len(r.Compare)
	}
	if w.Ranges+w.Compares > 1 {
		w.Txns = 1
	}
	return w
}

// Compact moves the compaction floor. It is exact at once; memory is given
// back bit by bit, for which CompactedPhysically waits, and what ZooKeeper holds
// shrinks with the next checkpoints.
func (b *Backend) Compact(ctx context.Context, r *pb.CompactionRequest) (*pb.CompactionResponse, error) {
	return propose[*pb.CompactionResponse](ctx, b.calls, r,
		&recordpb.Request{Kind: &recordpb.Request_Compaction{Compaction: r}})
}

// Watch opens a watch stream; the caller closes it. Its events come from the state
// as it is here, without waiting for what other members have acknowledged.
func (b *Backend) Watch() watch.Stream { return b.watches.Open() }

// firstChunk is how many keys the first chunk of a RangeStream holds at most;
// etcd's figure, so that a client sees something soon.
const firstChunk = 10

// RangeStream answers a range in chunks of about chunkBytes. The revision is
// the one at the start; it cannot be compacted away before the end, unless the
// client named an older one and did not ask for an order of its own. Header, more
// and count come with the last chunk, as in etcd.
func (b *Backend) RangeStream(ctx context.Context, r *pb.RangeRequest, chunkBytes int, send func(*pb.RangeStreamResponse) error) error {
	begin := func() (chunker, error) {
		c, err := b.reader(ctx, r)
		if err != nil {
			return nil, err
		}
		b.metrics.Worked(state.Work{Ranges: 1})
		return newChunker(c.view, r, chunkBytes)
	}
	var s chunker
	var err error
	if r.Serializable {
		s, err = begin()
	} else {
		s, err = linearizable(ctx, b.calls, begin)
	}
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
