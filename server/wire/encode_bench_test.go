package wire

import (
	"crypto/rand"
	"fmt"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
)

// BenchmarkEncodeList is what a list of 10,000 keys of 1 KiB costs to encode.
func BenchmarkEncodeList(b *testing.B) {
	list := &pb.RangeResponse{Header: &pb.ResponseHeader{ClusterId: 1, MemberId: 2, Revision: 3, RaftTerm: 4}, Count: 10_000}
	for i := range 10_000 {
		value := make([]byte, 1024)
		rand.Read(value)
		list.Kvs = append(list.Kvs, &mvccpb.KeyValue{
			Key: fmt.Appendf(nil, "/registry/listed/ns-%02d/pod-%07d", i%100, i), Value: value,
			CreateRevision: int64(i + 2), ModRevision: int64(i + 2), Version: 1,
		})
	}
	for b.Loop() {
		data, _ := encode(list)
		data.Free()
	}
}
