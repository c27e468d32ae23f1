package secrets

import (
	"context"
	"strings"
	"syscall"
	"time"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3election/v3electionpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
)

// plant is a kind of secret, and what brings it into zkine and requires that it got there.
type plant struct {
	class string
	into  func(s *site, secret string)
}

func putOf(key, value string) *pb.PutRequest {
	return &pb.PutRequest{Key: []byte(key), Value: []byte(value)}
}

func opPut(key, value string) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: putOf(key, value)}}
}

// values are secrets in what the users of the API store.
var values = []plant{
	{"value", func(s *site, secret string) {
		_, err := s.kv.Put(s.as("alice"), putOf("a/value", secret))
		require.NoError(s, err)
		s.holds("a/value", secret)
	}},
	{"previous value", func(s *site, secret string) {
		_, err := s.kv.Put(s.as("alice"), putOf("a/previous", secret))
		require.NoError(s, err)
		resp, err := s.kv.DeleteRange(s.as("alice"), &pb.DeleteRangeRequest{Key: []byte("a/previous"), PrevKv: true})
		require.NoError(s, err)
		require.Equal(s, secret, string(resp.PrevKvs[0].Value))
	}},
	{"value that is compared", func(s *site, secret string) {
		_, err := s.kv.Put(s.as("alice"), putOf("a/compared", secret))
		require.NoError(s, err)
		compare := &pb.Compare{Key: []byte("a/compared"), Target: pb.Compare_VALUE, TargetUnion: &pb.Compare_Value{Value: []byte(secret)}}
		resp, err := s.kv.Txn(s.as("alice"), &pb.TxnRequest{Compare: []*pb.Compare{compare}, Success: []*pb.RequestOp{opPut("a/txn", secret)}})
		require.NoError(s, err)
		require.True(s, resp.Succeeded)
	}},
	{"value in a nested transaction", func(s *site, secret string) {
		nested := &pb.RequestOp{Request: &pb.RequestOp_RequestTxn{RequestTxn: &pb.TxnRequest{Success: []*pb.RequestOp{opPut("a/nested", secret)}}}}
		_, err := s.kv.Txn(s.as("alice"), &pb.TxnRequest{Success: []*pb.RequestOp{nested}})
		require.NoError(s, err)
		s.holds("a/nested", secret)
	}},
	{"value of a lease that ends", func(s *site, secret string) {
		leases := pb.NewLeaseClient(s.conn)
		granted, err := leases.LeaseGrant(s.as("alice"), &pb.LeaseGrantRequest{TTL: 1})
		require.NoError(s, err)
		r := putOf("a/leased", secret)
		r.Lease = granted.ID
		watch, err := pb.NewWatchClient(s.conn).Watch(s.as("alice"))
		require.NoError(s, err)
		create := &pb.WatchCreateRequest{Key: r.Key, PrevKv: true}
		require.NoError(s, watch.Send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: create}}))
		_, err = watch.Recv()
		require.NoError(s, err)
		_, err = s.kv.Put(s.as("alice"), r)
		require.NoError(s, err)
		_, err = watch.Recv()
		require.NoError(s, err)
		gone, err := watch.Recv()
		require.NoError(s, err)
		require.Equal(s, secret, string(gone.Events[0].PrevKv.Value))
	}},
	{"value of an election", func(s *site, secret string) {
		elections := v3electionpb.NewElectionClient(s.conn)
		granted, err := pb.NewLeaseClient(s.conn).LeaseGrant(s.as("alice"), &pb.LeaseGrantRequest{TTL: 600})
		require.NoError(s, err)
		won, err := elections.Campaign(s.as("alice"), &v3electionpb.CampaignRequest{Name: []byte("a/election"), Lease: granted.ID, Value: []byte(secret)})
		require.NoError(s, err)
		_, err = elections.Proclaim(s.as("alice"), &v3electionpb.ProclaimRequest{Leader: won.Leader, Value: []byte(secret + " again")})
		require.NoError(s, err)
		leader, err := elections.Leader(s.as("alice"), &v3electionpb.LeaderRequest{Name: []byte("a/election")})
		require.NoError(s, err)
		require.Equal(s, secret+" again", string(leader.Kv.Value))
	}},
	{"value in a slow request", func(s *site, secret string) {
		// The folder shows that the line about the key is where is looked. A few lines in 10 s are logged, and others may be slow.
		const folder = "a/slow-folder-that-is-logged/"
		key := folder + "slow-key"
		_, err := s.await(`slow request.*`+folder+`|`+folder+`.*slow request`, func() { s.slowly(key, secret) })
		require.NoError(s, err)
		s.holds(key, secret)
	}},
}

// slowly writes a key, and another one in a transaction, while ZooKeeper stands still.
func (s *site) slowly(key, secret string) {
	s.Helper()
	java := s.zooKeeper()
	require.NoError(s, syscall.Kill(java, syscall.SIGSTOP))
	alice := s.as("alice")
	done := make(chan error, 2)
	go func() {
		_, err := s.kv.Put(alice, putOf(key, secret))
		done <- err
	}()
	go func() {
		_, err := s.kv.Txn(alice, &pb.TxnRequest{Success: []*pb.RequestOp{opPut("a/slow-txn", secret)}})
		done <- err
	}()
	slow, cancel := context.WithTimeout(alice, slowRequest)
	defer cancel()
	<-slow.Done()
	require.NoError(s, syscall.Kill(java, syscall.SIGCONT))
	require.NoError(s, <-done)
	require.NoError(s, <-done)
}

// slowRequest is longer than what zkine calls slow, and shorter than what makes it give ZooKeeper up.
const slowRequest = 450 * time.Millisecond

// refused are secrets in requests that are not carried out.
var refused = []plant{
	{"value of a user without permission", func(s *site, secret string) {
		_, err := s.kv.Put(s.as("mallory"), putOf("a/denied", secret))
		s.refused(err, "permission denied")
		_, err = s.kv.Txn(s.as("alice"), &pb.TxnRequest{Success: []*pb.RequestOp{opPut("a/denied", secret), opPut("b/denied", secret)}})
		s.refused(err, "permission denied")
		_, err = s.kv.Put(within(s.T), putOf("a/denied", secret))
		s.refused(err, "user name is empty")
		s.lacks("a/denied")
	}},
	{"value of a request that is too large", func(s *site, secret string) {
		for size, want := range map[int]string{1600 << 10: "request is too large", 3 << 20: "larger than max"} {
			_, err := s.kv.Put(s.as("alice"), putOf("a/large", strings.Repeat(secret, size/len(secret))))
			s.refused(err, want)
		}
		s.lacks("a/large")
	}},
	{"value of a request that is wrong", func(s *site, secret string) {
		_, err := s.kv.Put(s.as("alice"), putOf("", secret))
		s.refused(err, "key is not provided")
		_, err = s.kv.Txn(s.as("alice"), &pb.TxnRequest{Success: []*pb.RequestOp{opPut("a/twice", secret), opPut("a/twice", secret)}})
		s.refused(err, "duplicate key")
		many := make([]*pb.RequestOp, 200)
		for i := range many {
			many[i] = opPut("a/many", secret)
		}
		_, err = s.kv.Txn(s.as("alice"), &pb.TxnRequest{Success: many})
		s.refused(err, "too many operations")
		ignored := putOf("a/ignored", secret)
		ignored.IgnoreValue = true
		_, err = s.kv.Put(s.as("alice"), ignored)
		s.refused(err, "value is provided")
		noLease := putOf("a/no-lease", secret)
		noLease.Lease = 12345
		_, err = s.kv.Put(s.as("alice"), noLease)
		s.refused(err, "requested lease not found")
	}},
	{"request that is no message", func(s *site, secret string) {
		for method, body := range map[string]string{
			pb.KV_Put_FullMethodName:            "\x12\x7f" + secret,                  // cut short
			pb.KV_Txn_FullMethodName:            "\x0a\x02\x12\x7f" + secret,          // so is the comparison
			pb.Auth_UserAdd_FullMethodName:      "\x0a\x01u\x12\x23\xff\xfe" + secret, // no UTF-8
			pb.Auth_Authenticate_FullMethodName: "\x0a\x04root\x12\x22\xff" + secret,  // no UTF-8
			pb.Watch_Watch_FullMethodName:       "\x0a\x02\x12\x7f" + secret,
		} {
			ctx := s.as("root")
			stream, err := s.conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, method, grpc.ForceCodecV2(rawCodec{}))
			require.NoError(s, err)
			sent := body
			require.NoError(s, stream.SendMsg(&sent))
			var got string
			err = stream.RecvMsg(&got)
			require.Error(s, err, "%s: %q", method, got)
			s.hear(err.Error())
		}
	}},
	{"metadata", func(s *site, secret string) {
		ctx := metadata.AppendToOutgoingContext(within(s.T), "authorization", "Bearer "+secret, "client-api-version", secret,
			"hasleader", secret, "user-agent", secret, "grpcgateway-authorization", secret, "x-token", secret)
		_, err := s.kv.Range(ctx, &pb.RangeRequest{Key: []byte("a/value")})
		s.refused(err, "invalid auth token")
	}},
}

// rawCodec sends bytes that are no message.
type rawCodec struct{}

func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(*v.(*string))}, nil
}

func (rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	*v.(*string) = string(data.Materialize())
	return nil
}

func (rawCodec) Name() string { return "proto" }

var _ encoding.CodecV2 = rawCodec{}

// zooKeeper is the process id of the ZooKeeper that zkine has started.
func (s *site) zooKeeper() int {
	s.Helper()
	children, err := children(s.z.Pid())
	require.NoError(s, err)
	require.Len(s, children, 1)
	return children[0]
}
