package server

import (
	"context"
	"sync"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/revision"
)

// fakeBackend records the requests that reach it and answers with canned
// responses, or with what answer says.
type fakeBackend struct {
	fakeAuth

	mu     sync.Mutex
	calls  []any
	ready  error
	alarms []*pb.AlarmMember
	status Status
	watch  *fakeWatch
	// answer, if set, is asked first; nil and nil leave the canned response.
	answer func(ctx context.Context, req any) (any, error)
}

func newFakeBackend() *fakeBackend {
	return &fakeBackend{
		status: Status{
			Revision: 42, CompactRevision: 7, Term: 9, Index: 1<<32 + 5, AppliedIndex: 1<<32 + 4,
			Leader: fakeMemberID, Quota: 5000,
			Sizes: revision.Sizes{Log: 400, Packed: 300, Staged: 100, Checkpoint: 200, Live: 900, Znodes: 17},
		},
		watch: newFakeWatch(),
	}
}

const (
	fakeClusterID = 0xc1
	fakeMemberID  = 0xa1
)

func call[R any](ctx context.Context, b *fakeBackend, req any, canned R) (R, error) {
	b.mu.Lock()
	b.calls = append(b.calls, req)
	answer := b.answer
	b.mu.Unlock()
	if answer != nil {
		resp, err := answer(ctx, req)
		if err != nil {
			var none R
			return none, err
		}
		if resp != nil {
			return resp.(R), nil
		}
	}
	return canned, nil
}

func (b *fakeBackend) requests() []any {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.calls
}

func (b *fakeBackend) setReady(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ready = err
}

func (b *fakeBackend) setAnswer(f func(ctx context.Context, req any) (any, error)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.answer = f
}

// fail makes every call answer err.
func (b *fakeBackend) fail(err error) {
	b.setAnswer(func(context.Context, any) (any, error) { return nil, err })
}

func at(rev int64) *pb.ResponseHeader { return &pb.ResponseHeader{Revision: rev} }

func (b *fakeBackend) Range(ctx context.Context, r *pb.RangeRequest) (*pb.RangeResponse, error) {
	return call(ctx, b, r, &pb.RangeResponse{Header: at(11)})
}

// Probe asks answer as a read of a key would.
func (b *fakeBackend) Probe(ctx context.Context, serializable bool) error {
	_, err := b.Range(ctx, &pb.RangeRequest{Key: []byte("health"), Serializable: serializable})
	return err
}

func (b *fakeBackend) RangeStream(ctx context.Context, r *pb.RangeRequest, _ int, send func(*pb.RangeStreamResponse) error) error {
	if _, err := call(ctx, b, r, r); err != nil {
		return err
	}
	for _, part := range []*pb.RangeResponse{{Count: 0}, {Header: at(0), Count: 2}} {
		if err := send(&pb.RangeStreamResponse{RangeResponse: part}); err != nil {
			return err
		}
	}
	return nil
}

func (b *fakeBackend) Put(ctx context.Context, r *pb.PutRequest) (*pb.PutResponse, error) {
	return call(ctx, b, r, &pb.PutResponse{Header: at(12)})
}

func (b *fakeBackend) DeleteRange(ctx context.Context, r *pb.DeleteRangeRequest) (*pb.DeleteRangeResponse, error) {
	return call(ctx, b, r, &pb.DeleteRangeResponse{})
}

func (b *fakeBackend) Txn(ctx context.Context, r *pb.TxnRequest) (*pb.TxnResponse, error) {
	nested := &pb.ResponseOp{Response: &pb.ResponseOp_ResponseTxn{ResponseTxn: &pb.TxnResponse{Header: at(0)}}}
	return call(ctx, b, r, &pb.TxnResponse{Header: at(13), Responses: []*pb.ResponseOp{nested}})
}

func (b *fakeBackend) Compact(ctx context.Context, r *pb.CompactionRequest) (*pb.CompactionResponse, error) {
	return call(ctx, b, r, &pb.CompactionResponse{})
}

// scavenged is what a wait for a compaction asks of answer.
type scavenged int64

func (b *fakeBackend) CompactedPhysically(ctx context.Context, rev int64) error {
	_, err := call(ctx, b, scavenged(rev), any(nil))
	return err
}

func (b *fakeBackend) LeaseGrant(ctx context.Context, r *pb.LeaseGrantRequest) (*pb.LeaseGrantResponse, error) {
	return call(ctx, b, r, &pb.LeaseGrantResponse{ID: r.ID, TTL: r.TTL})
}

func (b *fakeBackend) LeaseRevoke(ctx context.Context, r *pb.LeaseRevokeRequest) (*pb.LeaseRevokeResponse, error) {
	return call(ctx, b, r, &pb.LeaseRevokeResponse{})
}

func (b *fakeBackend) LeaseKeepAlive(ctx context.Context, r *pb.LeaseKeepAliveRequest) (*pb.LeaseKeepAliveResponse, error) {
	return call(ctx, b, r, &pb.LeaseKeepAliveResponse{Header: at(14), ID: r.ID, TTL: 60})
}

func (b *fakeBackend) LeaseTimeToLive(ctx context.Context, r *pb.LeaseTimeToLiveRequest) (*pb.LeaseTimeToLiveResponse, error) {
	return call(ctx, b, r, &pb.LeaseTimeToLiveResponse{ID: r.ID})
}

func (b *fakeBackend) LeaseLeases(ctx context.Context, r *pb.LeaseLeasesRequest) (*pb.LeaseLeasesResponse, error) {
	return call(ctx, b, r, &pb.LeaseLeasesResponse{})
}

func (b *fakeBackend) Watch() WatchStream { return b.watch }

func (b *fakeBackend) Members(ctx context.Context, linearizable bool) ([]revision.Member, error) {
	return call(ctx, b, linearizable, []revision.Member{
		{Name: "one", ID: fakeMemberID, ClientURLs: []string{"http://one:2379"}},
		{Name: "two", ID: 0xa2, ClientURLs: []string{"http://two:2379"}},
	})
}

func (b *fakeBackend) Alarms() []*pb.AlarmMember {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.alarms
}

func (b *fakeBackend) Alarm(ctx context.Context, r *pb.AlarmRequest) (*pb.AlarmResponse, error) {
	return call(ctx, b, r, &pb.AlarmResponse{Header: at(15), Alarms: b.Alarms()})
}

func (b *fakeBackend) Hash(ctx context.Context, r *pb.HashRequest) (*pb.HashResponse, error) {
	return call(ctx, b, r, &pb.HashResponse{Header: at(16), Hash: 17})
}

func (b *fakeBackend) HashKV(ctx context.Context, r *pb.HashKVRequest) (*pb.HashKVResponse, error) {
	return call(ctx, b, r, &pb.HashKVResponse{Header: at(18), Hash: 19, CompactRevision: -1, HashRevision: 18})
}

func (b *fakeBackend) Defragment(ctx context.Context) error {
	_, err := call(ctx, b, "defragment", struct{}{})
	return err
}

func (b *fakeBackend) Snapshot(ctx context.Context) (Snapshot, error) {
	return call[Snapshot](ctx, b, "snapshot", &fakeSnapshot{bytes: make([]byte, 100<<10)})
}

func (b *fakeBackend) Status() Status { return b.status }

func (b *fakeBackend) ConfirmLeader(context.Context) {}

func (b *fakeBackend) Current() (revision.Rev, uint64) { return b.status.Revision, b.status.Term }
func (b *fakeBackend) ClusterID() uint64               { return fakeClusterID }
func (b *fakeBackend) Ready() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ready
}

// fakeWatch is a WatchStream whose responses a test sends.
type fakeWatch struct {
	out chan *pb.WatchResponse
	// did gets what the facade asked for: requests, cancelled ids, "progress".
	did        chan any
	fragmented bool
	closed     chan struct{}
	// broken ends Next with an error.
	broken chan error
}

func newFakeWatch() *fakeWatch {
	return &fakeWatch{
		out: make(chan *pb.WatchResponse, 100), did: make(chan any, 100),
		closed: make(chan struct{}), broken: make(chan error, 1),
	}
}

func (w *fakeWatch) Room(context.Context) error      { return nil }
func (w *fakeWatch) Create(r *pb.WatchCreateRequest) { w.did <- r }
func (w *fakeWatch) Refuse(reason string)            { w.did <- reason }
func (w *fakeWatch) Cancel(id int64)                 { w.did <- id }
func (w *fakeWatch) RequestProgress()                { w.did <- "progress" }
func (w *fakeWatch) Fragmented(int64) bool           { return w.fragmented }
func (w *fakeWatch) Close()                          { close(w.closed) }

func (w *fakeWatch) Next(ctx context.Context) (*pb.WatchResponse, error) {
	select {
	case r := <-w.out:
		return r, nil
	case err := <-w.broken:
		return nil, err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
