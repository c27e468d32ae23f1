package api

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/conformance/rig/rigtest"
	"github.com/zkine/zkine/revision/zktest"
)

// mebi14 is what kube-apiserver may put into a key, and more than a ZooKeeper takes in a request.
const mebi14 = 14 << 20 / 10

func TestLargeValues(t *testing.T) {
	value := string(incompressible(mebi14))
	onBoth(t, func(t *testing.T, endpoint string) {
		c := client(t, endpoint)
		watch := c.Watch(within(t), "large", clientv3.WithPrevKV(), clientv3.WithCreatedNotify())
		require.True(t, (<-watch).Created)
		_, err := c.Put(within(t), "large", value)
		require.NoError(t, err)
		got, err := c.Get(within(t), "large")
		require.NoError(t, err)
		require.True(t, value == string(got.Kvs[0].Value))
		txn, err := c.Txn(within(t)).If(clientv3.Compare(clientv3.Value("large"), "=", value)).
			Then(clientv3.OpPut("large", "small", clientv3.WithPrevKV())).Commit()
		require.NoError(t, err)
		require.True(t, value == string(txn.Responses[0].GetResponsePut().PrevKv.Value))
		first, second := <-watch, <-watch
		require.True(t, value == string(first.Events[0].Kv.Value))
		require.True(t, value == string(second.Events[0].PrevKv.Value))
	})
}

func TestLargeValuesSurviveAKill(t *testing.T) {
	z := rigtest.Start(t)
	c := client(t, z.Endpoint)
	value := incompressible(mebi14)
	for i := range 4 {
		_, err := c.Put(within(t), fmt.Sprint("large", i), string(value[i:]))
		require.NoError(t, err)
	}
	z.Kill()
	z.Start()
	for i := range 4 {
		got, err := c.Get(within(t), fmt.Sprint("large", i))
		require.NoError(t, err)
		require.True(t, bytes.Equal(value[i:], got.Kvs[0].Value))
	}
}

// TestLimits finds the exact size from which a request is refused, and by whom.
func TestLimits(t *testing.T) {
	const requestLimit, grpcLimit = 3 << 19, 2 << 20
	onBoth(t, func(t *testing.T, endpoint string) {
		kv := pb.NewKVClient(dial(t, endpoint))
		put := func(size int) error {
			_, err := kv.Put(within(t), putRequest("k", strings.Repeat("x", size)))
			return err
		}
		require.NoError(t, put(requestLimit-64))
		requireError(t, codes.InvalidArgument, "etcdserver: request is too large", put(requestLimit))
		overhead := proto.Size(putRequest("k", strings.Repeat("x", grpcLimit-64))) - (grpcLimit - 64)
		requireError(t, codes.InvalidArgument, "etcdserver: request is too large", put(grpcLimit-overhead))
		requireError(t, codes.ResourceExhausted, "grpc: received message larger than max (2097153 vs. 2097152)",
			put(grpcLimit-overhead+1))

		ops := func(n int) error {
			r := &pb.TxnRequest{}
			for i := range n {
				r.Success = append(r.Success, &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: putRequest(fmt.Sprint(i), "")}})
			}
			_, err := kv.Txn(within(t), r)
			return err
		}
		require.NoError(t, ops(128))
		requireError(t, codes.InvalidArgument, "etcdserver: too many operations in txn request", ops(129))
	})
}

// TestRangeStream compares a streamed range with the plain one.
func TestRangeStream(t *testing.T) {
	onBoth(t, func(t *testing.T, endpoint string) {
		c := client(t, endpoint)
		for batch := range 10 {
			var puts []clientv3.Op
			for i := range 100 {
				puts = append(puts, clientv3.OpPut(fmt.Sprintf("k/%d%02d", batch, i), strings.Repeat("v", 1000)))
			}
			_, err := c.Txn(within(t)).Then(puts...).Commit()
			require.NoError(t, err)
		}
		kv := pb.NewKVClient(dial(t, endpoint))
		for name, r := range map[string]*pb.RangeRequest{
			"everything":  {Key: []byte{0}, RangeEnd: []byte{0}},
			"limit":       {Key: []byte("k/"), RangeEnd: []byte("k0"), Limit: 321},
			"old":         {Key: []byte("k/"), RangeEnd: []byte("k0"), Revision: 5},
			"keys":        {Key: []byte("k/"), RangeEnd: []byte("k0"), KeysOnly: true, Serializable: true},
			"count":       {Key: []byte("k/"), RangeEnd: []byte("k0"), CountOnly: true},
			"nothing":     {Key: []byte("x")},
			"single":      {Key: []byte("k/123")},
			"wrong order": {Key: []byte("k0"), RangeEnd: []byte("k/")},
		} {
			t.Run(name, func(t *testing.T) {
				want, err := kv.Range(within(t), r)
				require.NoError(t, err)
				require.Empty(t, diff(want, collect(t, kv, r)))
			})
		}
		for message, r := range map[string]*pb.RangeRequest{
			"RangeStream does not support custom sort orders": {Key: []byte("k"), SortOrder: pb.RangeRequest_DESCEND},
			"RangeStream does not support revision filters":   {Key: []byte("k"), MinModRevision: 2},
		} {
			stream, err := kv.RangeStream(within(t), r)
			require.NoError(t, err)
			_, err = stream.Recv()
			requireError(t, codes.Unimplemented, message, err)
		}
	})
}

// TestSortedRangeStream streams a range in another order than that of the keys. An etcd tells keys twice and others never.
func TestSortedRangeStream(t *testing.T) {
	endpoint := rigtest.Start(t).Endpoint
	c := client(t, endpoint)
	for batch := range 10 {
		var puts []clientv3.Op
		for i := range 100 {
			puts = append(puts, clientv3.OpPut(fmt.Sprintf("k/%d%02d", batch, i), fmt.Sprintf("%d%1000d", i*37%100, batch)))
		}
		_, err := c.Txn(within(t)).Then(puts...).Commit()
		require.NoError(t, err)
	}
	kv := pb.NewKVClient(dial(t, endpoint))
	for target := range pb.RangeRequest_SortTarget_name {
		for _, limit := range []int64{0, 321} {
			r := &pb.RangeRequest{Key: []byte("k/"), RangeEnd: []byte("k0"), Limit: limit, SortTarget: pb.RangeRequest_SortTarget(target)}
			want, err := kv.Range(within(t), r)
			require.NoError(t, err)
			require.Empty(t, diff(want, collect(t, kv, r)))
		}
	}
}

// collect puts the chunks of a stream together. Only the last may have a header, a count and more.
func collect(t *testing.T, kv pb.KVClient, r *pb.RangeRequest) *pb.RangeResponse {
	t.Helper()
	stream, err := kv.RangeStream(within(t), r)
	require.NoError(t, err)
	all, last := &pb.RangeResponse{}, (*pb.RangeResponse)(nil)
	for {
		chunk, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		if last != nil {
			require.Nil(t, last.Header)
			require.Zero(t, last.Count)
			require.False(t, last.More)
		}
		last = chunk.RangeResponse
		all.Kvs = append(all.Kvs, last.Kvs...)
	}
	require.NotNil(t, last)
	all.Header, all.Count, all.More = last.Header, last.Count, last.More
	return all
}

func diff(want, got proto.Message) string {
	if proto.Equal(want, got) {
		return ""
	}
	return fmt.Sprintf("want %v\ngot %v", want, got)
}

// TestLinearizableReadsAcrossTwoZkines reads through one zkine what was acknowledged by another.
func TestLinearizableReadsAcrossTwoZkines(t *testing.T) {
	zookeeper, root := zktest.Shared(t).Addr(), zktest.Root(t)
	a, b := client(t, rigtest.StartOn(t, zookeeper, root).Endpoint), client(t, rigtest.StartOn(t, zookeeper, root).Endpoint)
	for name, pair := range map[string][2]*clientv3.Client{"a to b": {a, b}, "b to a": {b, a}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for i := range 100 {
				value := fmt.Sprint(i)
				put, err := pair[0].Put(within(t), name, value)
				require.NoError(t, err)
				got, err := pair[1].Get(within(t), name)
				require.NoError(t, err)
				require.Len(t, got.Kvs, 1)
				require.Equal(t, value, string(got.Kvs[0].Value))
				require.Equal(t, put.Header.Revision, got.Kvs[0].ModRevision)
				require.GreaterOrEqual(t, got.Header.Revision, put.Header.Revision)
				require.Equal(t, put.Header.ClusterId, got.Header.ClusterId)
				require.NotEqual(t, put.Header.MemberId, got.Header.MemberId)
			}
		})
	}
}
