package server

import (
	"sync/atomic"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"
)

// maxUnderWay bounds what the requests take in memory that are under way at
// once, in bytes, wherever they wait: for a quorum, for a place in the log, for the
// log to have come to the grant of a token. While ZooKeeper is away nothing else
// bounds them. It is above what may wait for the log, so that this is full first.
const maxUnderWay = 512 << 20

// countedFrom is the size in bytes from which a request counts. What is smaller
// takes less than the call that brought it.
const countedFrom = 4 << 10

// underWay is how many bytes of requests are under way.
type underWay struct{ bytes atomic.Int64 }

// enter counts a request in; false if there is no room for it. What it returns
// is for leave.
func (u *underWay) enter(req any) (size int64, ok bool) {
	size = int64(requestSize(req))
	if size < countedFrom {
		return 0, true
	}
	if u.bytes.Add(size) > maxUnderWay {
		u.bytes.Add(-size)
		return 0, false
	}
	return size, true
}

func (u *underWay) leave(size int64) {
	if size > 0 {
		u.bytes.Add(-size)
	}
}

// requestSize is about how many bytes a request has. The most frequent ones are
// not measured field by field.
func requestSize(req any) int {
	switch r := req.(type) {
	case *pb.RangeRequest:
		return len(r.Key) + len(r.RangeEnd)
	case *pb.PutRequest:
		return len(r.Key) + len(r.Value)
	case proto.Message:
		return proto.Size(r)
	}
	return 0
}
