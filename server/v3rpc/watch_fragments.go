package v3rpc

import (
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// sendFragments sends a response in parts of less than maxBytes each, or of one
// event if that is larger. All parts but the last are marked as fragments. The
// parts share the response's header and events, and are not changed after they
// were sent, since gRPC may still be encoding them.
func sendFragments(resp *pb.WatchResponse, maxBytes int, send func(*pb.WatchResponse) error) error {
	if len(resp.Events) < 2 || proto.Size(resp) < maxBytes {
		return send(resp)
	}
	part := func() *pb.WatchResponse {
		return &pb.WatchResponse{
			Header: resp.Header, WatchId: resp.WatchId,
			Created: resp.Created, Canceled: resp.Canceled,
			CompactRevision: resp.CompactRevision, CancelReason: resp.CancelReason,
			Fragment: true,
		}
	}
	empty := proto.Size(part())
	rest := resp.Events
	for len(rest) > 0 {
		n, size := 1, empty+eventSize(rest[0])
		for ; n < len(rest); n++ {
			if size += eventSize(rest[n]); size >= maxBytes {
				break
			}
		}
		p := part()
		p.Events, rest = rest[:n:n], rest[n:]
		p.Fragment = len(rest) > 0
		if err := send(p); err != nil {
			return err
		}
	}
	return nil
}

// eventSize is what an event adds to the size of a response.
func eventSize(e *mvccpb.Event) int {
	const eventsField = 11 // of pb.WatchResponse
	return protowire.SizeTag(eventsField) + protowire.SizeBytes(proto.Size(e))
}
