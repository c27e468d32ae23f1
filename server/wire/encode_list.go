package wire

import (
	"runtime"
	"sync"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc/mem"
)

// A large list is encoded by several processors: until all of it is in its wire
// form the client cannot get a byte, and has nothing to do.

const (
	// partKeys is the least that a processor gets.
	partKeys = 1000
	// maxParts leaves processors to others.
	maxParts = 8
)

// listParts splits a list into messages whose encodings in a row are the list's:
// protobuf merges the fields of what is put together, and they stay in order.
func listParts(m *pb.RangeResponse) []*pb.RangeResponse {
	kvs := m.GetKvs()
	n := min(len(kvs)/partKeys, runtime.GOMAXPROCS(0), maxParts)
	if n < 2 {
		return nil
	}
	parts := make([]*pb.RangeResponse, n)
	for i := range parts {
		parts[i] = &pb.RangeResponse{Kvs: kvs[i*len(kvs)/n : (i+1)*len(kvs)/n]}
	}
	parts[0].Header = m.Header
	parts[n-1].More, parts[n-1].Count = m.More, m.Count
	return parts
}

func encodeParts(parts []*pb.RangeResponse) mem.BufferSlice {
	encoded := make([]mem.BufferSlice, len(parts))
	var rest sync.WaitGroup
	for i, part := range parts[1:] {
		rest.Go(func() { encoded[i+1] = encodeRange(part) })
	}
	encoded[0] = encodeRange(parts[0])
	rest.Wait()
	var whole mem.BufferSlice
	for _, part := range encoded {
		whole = append(whole, part...)
	}
	return whole
}

func encodeRange(m *pb.RangeResponse) mem.BufferSlice {
	w := newBuffers(sizeRange(m))
	w.rangeResponse(m)
	return w.close()
}
