package differential

import (
	"testing"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/conformance/reference"
)

// TestKeysOnly asks both for a leased key without its value, in every way there is: zkine always tells the lease, etcd
// only when it sorts by value. Otherwise the answers are the same. Once etcd has mended it, withLeases can go.
func TestKeysOnly(t *testing.T) {
	const lease = 7
	etcd, zkine := connect(t, etcdName, reference.Start(t)), connect(t, "zkine", startZkine(t, false).Endpoint)
	for _, s := range []*store{etcd, zkine} {
		_, err := s.lease.LeaseGrant(t.Context(), &pb.LeaseGrantRequest{ID: lease, TTL: 100_000})
		require.NoError(t, err)
		_, err = s.kv.Put(t.Context(), &pb.PutRequest{Key: []byte("a"), Value: []byte("v"), Lease: lease})
		require.NoError(t, err)
		_, err = s.kv.Put(t.Context(), &pb.PutRequest{Key: []byte("b"), Value: []byte("v")})
		require.NoError(t, err)
	}
	ways := map[string]func(*store, *pb.RangeRequest) (*pb.RangeResponse, error){
		"Range": func(s *store, r *pb.RangeRequest) (*pb.RangeResponse, error) { return s.kv.Range(t.Context(), r) },
		"RangeStream": func(s *store, r *pb.RangeRequest) (*pb.RangeResponse, error) {
			return s.rangeStream(t.Context(), r)
		},
		"Txn": func(s *store, r *pb.RangeRequest) (*pb.RangeResponse, error) {
			response, err := s.kv.Txn(t.Context(), &pb.TxnRequest{Success: []*pb.RequestOp{
				{Request: &pb.RequestOp_RequestRange{RequestRange: r}}}})
			if err != nil {
				return nil, err
			}
			return response.Responses[0].GetResponseRange(), nil
		},
	}
	requests := map[string]*pb.RangeRequest{
		"one key":  {Key: []byte("a")},
		"all":      {Key: []byte("a"), RangeEnd: []byte{0}},
		"limit":    {Key: []byte("a"), RangeEnd: []byte{0}, Limit: 1, Serializable: true},
		"old":      {Key: []byte("a"), RangeEnd: []byte{0}, Revision: 2},
		"by value": {Key: []byte("a"), RangeEnd: []byte{0}, SortTarget: pb.RangeRequest_VALUE, Limit: 2},
	}
	for way, ask := range ways {
		for name, request := range requests {
			t.Run(way+" "+name, func(t *testing.T) {
				r := proto.CloneOf(request)
				r.KeysOnly = true
				theirs, err := ask(etcd, proto.CloneOf(r))
				require.NoError(t, err)
				ours, err := ask(zkine, r)
				require.NoError(t, err)

				require.EqualValues(t, lease, ours.Kvs[0].Lease)
				if losesLeases(r) {
					require.Zero(t, theirs.Kvs[0].Lease)
					ours.Kvs[0].Lease = 0
				}
				for _, answer := range []*pb.RangeResponse{theirs, ours} {
					normalize(r, answer)
				}
				require.True(t, proto.Equal(theirs, ours), "etcd:  %v\nzkine: %v", theirs, ours)
			})
		}
	}
}
