package etcdapi

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	fakeKeys = 500
	fakeRev  = fakeKeys + 1
	fakePart = 40 // keys of a part of a stream
)

// faulty answers reads of all keys, and has a stream end as a test wants it.
type faulty struct {
	pb.UnimplementedKVServer
	// after is how many parts are sent before the stream ends with err; the last part of
	// all if that is nil.
	after int
	err   error
	// pages counts what was read by Range.
	pages atomic.Int64
	// ended has the stream go on, with the same keys again and again, until its reader leaves,
	// and is told of that; nil to have it end by itself.
	ended chan struct{}
}

func fakeKey(i int) string { return fmt.Sprintf("/key/%06d", i) }

// from lists the keys from one on, as many as the limit allows.
func (f *faulty) from(key []byte, limit int) (kvs []*mvccpb.KeyValue, more bool) {
	for i := range fakeKeys {
		if fakeKey(i) < string(key) {
			continue
		}
		if len(kvs) == limit {
			return kvs, true
		}
		rev := int64(i + 2)
		kvs = append(kvs, &mvccpb.KeyValue{Key: []byte(fakeKey(i)), Value: make([]byte, 100), CreateRevision: rev, ModRevision: rev, Version: 1})
	}
	return kvs, false
}

func header() *pb.ResponseHeader { return &pb.ResponseHeader{ClusterId: 7, Revision: fakeRev} }

func (f *faulty) Range(_ context.Context, r *pb.RangeRequest) (*pb.RangeResponse, error) {
	if len(r.RangeEnd) == 0 {
		return &pb.RangeResponse{Header: header()}, nil
	}
	f.pages.Add(1)
	kvs, more := f.from(r.Key, int(r.Limit))
	return &pb.RangeResponse{Header: header(), Kvs: kvs, More: more}, nil
}

func (f *faulty) RangeStream(r *pb.RangeRequest, s grpc.ServerStreamingServer[pb.RangeStreamResponse]) error {
	for f.ended != nil {
		kvs, _ := f.from(r.Key, fakePart)
		if err := s.Send(&pb.RangeStreamResponse{RangeResponse: &pb.RangeResponse{Kvs: kvs}}); err != nil {
			f.ended <- struct{}{}
			return err
		}
	}
	for range f.after {
		kvs, more := f.from(r.Key, fakePart)
		part := &pb.RangeResponse{Kvs: kvs}
		if !more {
			part.Header = header()
		}
		if err := s.Send(&pb.RangeStreamResponse{RangeResponse: part}); err != nil {
			return err
		}
		r.Key = []byte(after(kvs))
	}
	return f.err
}

func (f *faulty) connect(t *testing.T) *Source {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := grpc.NewServer()
	pb.RegisterKVServer(server, f)
	go server.Serve(listener) //nolint:errcheck // until it is stopped
	t.Cleanup(server.Stop)
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{listener.Addr().String()}, Logger: zap.NewNop(), DialTimeout: time.Minute})
	require.NoError(t, err)
	t.Cleanup(func() { client.Close() })
	s, err := Connect(t.Context(), client, nil)
	require.NoError(t, err)
	return s
}

// TestStreamsThatEnd early, in whatever way, are read on by pages: each key comes once.
func TestStreamsThatEnd(t *testing.T) {
	all := (fakeKeys + fakePart - 1) / fakePart
	for name, c := range map[string]struct {
		after int
		err   error
		paged bool
	}{
		"whole":                       {all, nil, false},
		"not known":                   {0, status.Error(codes.Unimplemented, "unknown method RangeStream"), true},
		"cut off":                     {3, status.Error(codes.Unavailable, "the server has gone"), true},
		"ended without its last part": {4, nil, true},
		"empty":                       {0, nil, true},
		"too slow for its leader":     {2, status.Error(codes.Unknown, "what nobody knows"), true},
	} {
		t.Run(name, func(t *testing.T) {
			f := &faulty{after: c.after, err: c.err}
			n := 0
			for kv, err := range f.connect(t).Keys(t.Context(), fakeRev) {
				require.NoError(t, err)
				require.Equal(t, fakeKey(n), string(kv.Key))
				n++
			}
			require.Equal(t, fakeKeys, n)
			require.Equal(t, c.paged, f.pages.Load() > 0)
		})
	}
}

// TestReadersWhoLeave end the stream.
func TestReadersWhoLeave(t *testing.T) {
	f := &faulty{ended: make(chan struct{}, 1)}
	s := f.connect(t)
	for range 3 {
		for _, err := range s.Keys(t.Context(), fakeRev) {
			require.NoError(t, err)
			break
		}
		select {
		case <-f.ended:
		case <-time.After(time.Minute):
			require.FailNow(t, "the stream goes on")
		}
	}
}
