package usage

import (
	"errors"
	"fmt"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/grpc"
)

// BenchmarkCall is what counting costs a call, in the processor's time.
func BenchmarkCall(b *testing.B) {
	key := []byte("/registry/pods/shop/web-5d4b9c7f6d-x2x7k")
	value := make([]byte, 1024)
	var kvs []*mvccpb.KeyValue
	for range 500 {
		kvs = append(kvs, &mvccpb.KeyValue{Key: key, Value: value})
	}
	update := &pb.TxnRequest{
		Compare: []*pb.Compare{{Key: key}},
		Success: []*pb.RequestOp{{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: key, Value: value}}}},
	}
	updated := &pb.TxnResponse{Succeeded: true, Responses: []*pb.ResponseOp{{Response: &pb.ResponseOp_ResponsePut{ResponsePut: &pb.PutResponse{}}}}}
	for _, of := range []struct {
		name      string
		req, resp any
	}{
		{"put", &pb.PutRequest{Key: key, Value: value}, &pb.PutResponse{}},
		{"put elsewhere", &pb.PutRequest{Key: []byte("/service/batman/leader"), Value: value}, &pb.PutResponse{}},
		{"update", update, updated},
		{"get", &pb.RangeRequest{Key: key}, &pb.RangeResponse{Kvs: kvs[:1]}},
		{"list of 500", &pb.RangeRequest{Key: []byte("/registry/pods/"), RangeEnd: []byte("/registry/pods0")}, &pb.RangeResponse{Kvs: kvs}},
	} {
		b.Run(of.name, func(b *testing.B) {
			r := NewRecorder()
			c := r.Caller(Peer{Address: "10.0.0.1", UserAgent: "grpc-go/1.79.3"})
			b.ReportAllocs()
			for b.Loop() {
				r.Unary(c, of.req, of.resp, nil)
			}
		})
		b.Run(of.name+", by many", func(b *testing.B) {
			r := NewRecorder()
			b.RunParallel(func(p *testing.PB) {
				c := r.Caller(Peer{Address: "10.0.0.1", UserAgent: "grpc-go/1.79.3"})
				for p.Next() {
					r.Unary(c, of.req, of.resp, nil)
				}
			})
		})
	}
}

// BenchmarkFlood is what the worst client costs: each of its keys has another prefix.
func BenchmarkFlood(b *testing.B) {
	r := NewRecorder()
	c := r.Caller(Peer{Address: "10.0.0.1"})
	keys := make([][]byte, 1<<16)
	for i := range keys {
		keys[i] = fmt.Appendf(nil, "/registry/pods/n%d/web", i)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		r.Unary(c, &pb.PutRequest{Key: keys[i%len(keys)]}, &pb.PutResponse{}, nil)
	}
}

// BenchmarkEvent is what counting costs a response of one event to one watcher.
func BenchmarkEvent(b *testing.B) {
	r := NewRecorder()
	s := r.Stream(func() *Caller { return r.Caller(Peer{Address: "10.0.0.1"}) })
	s.On(discard{})
	s.created = []watched{{key: []byte("/registry/pods/"), end: []byte("/registry/pods0")}}
	s.watch(&pb.WatchResponse{Created: true})
	event := &pb.WatchResponse{Events: []*mvccpb.Event{{Kv: &mvccpb.KeyValue{Key: []byte("/registry/pods/shop/web"), Value: make([]byte, 1024)}}}}
	b.ReportAllocs()
	for b.Loop() {
		if s.SendMsg(event) != nil {
			b.Fatal(errDiscard)
		}
	}
}

var errDiscard = errors.New("nothing fails")

// discard is a stream that takes everything.
type discard struct{ grpc.ServerStream }

func (discard) SendMsg(any) error { return nil }
