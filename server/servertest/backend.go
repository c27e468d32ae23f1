package servertest

import (
	"context"
	"sync"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/backend"
	"github.com/zkine/zkine/backend/etcddb"
	"github.com/zkine/zkine/backend/watch"
	"github.com/zkine/zkine/revision"
)

// The ids that a Backend, and a server on it, put into headers.
const (
	ClusterID = 0xc1
	MemberID  = 0xa1
)

// Answer answers a request; nil and nil leave the canned response.
type Answer func(ctx context.Context, req any) (any, error)

// Backend records the requests that reach it and answers with canned
// responses, or with what SetAnswer says. It is a server.Backend.
type Backend struct {
	auth

	// Stands is the status; it is set before it is asked for.
	Stands backend.Status
	// Stream is the only watch stream.
	Stream *WatchStream

	mu     sync.Mutex
	calls  []any
	ready  error
	asked  int // how often Ready was
	doubts chan struct{}
	alarms []*pb.AlarmMember
	answer Answer
}

// NewBackend makes a Backend that is ready, at revision 42.
func NewBackend() *Backend {
	b := &Backend{
		Stands: backend.Status{
			Revision: 42, CompactRevision: 7, Term: 9, Index: 1<<32 + 5, AppliedIndex: 1<<32 + 4,
			Leader: MemberID, Quota: 5000,
			Sizes: revision.Sizes{Log: 400, Packed: 300, Staged: 100, Checkpoint: 200, Live: 900, Kept: 950, Znodes: 17},
		},
		Stream: newWatchStream(),
		doubts: make(chan struct{}, 1),
	}
	b.auth.backend = b
	return b
}

func call[R any](ctx context.Context, b *Backend, req any, canned R) (R, error) {
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

// Requests are those that have come so far.
func (b *Backend) Requests() []any {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.calls
}

// SetReady says what Ready returns.
func (b *Backend) SetReady(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ready = err
	b.doubt()
}

// doubt gives a doubt while the backend is not ready. The lock is held.
func (b *Backend) doubt() {
	if b.ready == nil {
		return
	}
	select {
	case b.doubts <- struct{}{}:
	default:
	}
}

// SetAlarms says what Alarms returns.
func (b *Backend) SetAlarms(alarms ...*pb.AlarmMember) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.alarms = alarms
}

// SetAnswer has all requests answered by f from now on.
func (b *Backend) SetAnswer(f Answer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.answer = f
}

// Fail makes every call answer err.
func (b *Backend) Fail(err error) {
	b.SetAnswer(func(context.Context, any) (any, error) { return nil, err })
}

// Header is a response's header as a backend makes it.
func Header(rev int64) *pb.ResponseHeader { return &pb.ResponseHeader{Revision: rev} }

func (b *Backend) Range(ctx context.Context, r *pb.RangeRequest) (*pb.RangeResponse, error) {
	return call(ctx, b, r, &pb.RangeResponse{Header: Header(11)})
}

// ProbeLinearizable asks the answer as a read of a key would.
func (b *Backend) ProbeLinearizable(ctx context.Context) error {
	_, err := b.Range(ctx, &pb.RangeRequest{Key: []byte("health")})
	return err
}

// ProbeSerializable asks the answer as a serializable read of a key would.
func (b *Backend) ProbeSerializable() error {
	_, err := b.Range(context.Background(), &pb.RangeRequest{Key: []byte("health"), Serializable: true})
	return err
}

func (b *Backend) RangeStream(ctx context.Context, r *pb.RangeRequest, _ int, send func(*pb.RangeStreamResponse) error) error {
	if _, err := call(ctx, b, r, r); err != nil {
		return err
	}
	for _, part := range []*pb.RangeResponse{{Count: 0}, {Header: Header(0), Count: 2}} {
		if err := send(&pb.RangeStreamResponse{RangeResponse: part}); err != nil {
			return err
		}
	}
	return nil
}

func (b *Backend) Put(ctx context.Context, r *pb.PutRequest) (*pb.PutResponse, error) {
	return call(ctx, b, r, &pb.PutResponse{Header: Header(12)})
}

func (b *Backend) DeleteRange(ctx context.Context, r *pb.DeleteRangeRequest) (*pb.DeleteRangeResponse, error) {
	return call(ctx, b, r, &pb.DeleteRangeResponse{})
}

func (b *Backend) Txn(ctx context.Context, r *pb.TxnRequest) (*pb.TxnResponse, error) {
	nested := &pb.ResponseOp{Response: &pb.ResponseOp_ResponseTxn{ResponseTxn: &pb.TxnResponse{Header: Header(0)}}}
	return call(ctx, b, r, &pb.TxnResponse{Header: Header(13), Responses: []*pb.ResponseOp{nested}})
}

func (b *Backend) Compact(ctx context.Context, r *pb.CompactionRequest) (*pb.CompactionResponse, error) {
	return call(ctx, b, r, &pb.CompactionResponse{})
}

// CompactedPhysically is the request that a wait for a physical compaction stands for.
type CompactedPhysically int64

func (b *Backend) CompactedPhysically(ctx context.Context, rev int64) error {
	_, err := call(ctx, b, CompactedPhysically(rev), any(nil))
	return err
}

func (b *Backend) LeaseGrant(ctx context.Context, r *pb.LeaseGrantRequest) (*pb.LeaseGrantResponse, error) {
	return call(ctx, b, r, &pb.LeaseGrantResponse{ID: r.ID, TTL: r.TTL})
}

func (b *Backend) LeaseRevoke(ctx context.Context, r *pb.LeaseRevokeRequest) (*pb.LeaseRevokeResponse, error) {
	return call(ctx, b, r, &pb.LeaseRevokeResponse{})
}

func (b *Backend) LeaseKeepAlive(ctx context.Context, r *pb.LeaseKeepAliveRequest) (*pb.LeaseKeepAliveResponse, error) {
	return call(ctx, b, r, &pb.LeaseKeepAliveResponse{Header: Header(14), ID: r.ID, TTL: 60})
}

func (b *Backend) LeaseTimeToLive(ctx context.Context, r *pb.LeaseTimeToLiveRequest) (*pb.LeaseTimeToLiveResponse, error) {
	return call(ctx, b, r, &pb.LeaseTimeToLiveResponse{ID: r.ID})
}

func (b *Backend) LeaseLeases(ctx context.Context, r *pb.LeaseLeasesRequest) (*pb.LeaseLeasesResponse, error) {
	return call(ctx, b, r, &pb.LeaseLeasesResponse{})
}

func (b *Backend) Watch() watch.Stream { return b.Stream }

// members are those that the canned backend tells.
var members = []revision.Member{
	{Name: "one", ID: MemberID, ClientURLs: []string{"http://one:2379"}},
	{Name: "two", ID: 0xa2, ClientURLs: []string{"http://two:2379"}},
}

// MembersCall is the request that a list of members stands for.
type MembersCall struct{ Linearizable bool }

func (b *Backend) Members(ctx context.Context) ([]revision.Member, error) {
	return call(ctx, b, MembersCall{Linearizable: true}, members)
}

func (b *Backend) KnownMembers() ([]revision.Member, error) {
	return call(context.Background(), b, MembersCall{}, members)
}

func (b *Backend) Alarms() []*pb.AlarmMember {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.alarms
}

func (b *Backend) Alarm(ctx context.Context, r *pb.AlarmRequest) (*pb.AlarmResponse, error) {
	return call(ctx, b, r, &pb.AlarmResponse{Header: Header(15), Alarms: b.Alarms()})
}

func (b *Backend) Hash(ctx context.Context, r *pb.HashRequest) (*pb.HashResponse, error) {
	return call(ctx, b, r, &pb.HashResponse{Header: Header(16), Hash: 17})
}

func (b *Backend) HashKV(ctx context.Context, r *pb.HashKVRequest) (*pb.HashKVResponse, error) {
	return call(ctx, b, r, &pb.HashKVResponse{Header: Header(18), Hash: 19, CompactRevision: -1, HashRevision: 18})
}

func (b *Backend) Defragment(ctx context.Context) error {
	_, err := call(ctx, b, "defragment", struct{}{})
	return err
}

func (b *Backend) Snapshot(ctx context.Context) (etcddb.Snapshot, error) {
	return call[etcddb.Snapshot](ctx, b, "snapshot", &Snapshot{Bytes: make([]byte, 100<<10)})
}

func (b *Backend) Status() backend.Status { return b.Stands }

func (b *Backend) ConfirmLeader(context.Context) {}

func (b *Backend) Current() (revision.Rev, uint64) { return b.Stands.Revision, b.Stands.Term }

func (b *Backend) ClusterID() uint64 { return ClusterID }

// Ready gives a doubt each time that it is asked while the backend is not ready, as
// the real one may.
func (b *Backend) Ready() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked++
	b.doubt()
	return b.ready
}

func (b *Backend) Doubted() <-chan struct{} { return b.doubts }

// AskedReady is how often Ready was called.
func (b *Backend) AskedReady() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.asked
}
