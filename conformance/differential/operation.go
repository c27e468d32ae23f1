package differential

import (
	"fmt"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"
)

// operation is a request; what it is decides to which call it goes.
type operation struct {
	proto.Message
	// streamed says that a RangeRequest is for RangeStream.
	streamed bool
	// stream is the watch stream that a WatchCreateRequest or a WatchCancelRequest goes to. One that no watch was
	// created on yet is opened for it.
	stream int
	// await says that a LeaseTimeToLiveRequest is made again and again until the lease is gone.
	await bool
}

func (o operation) String() string {
	name := string(o.ProtoReflect().Descriptor().Name())
	switch o.Message.(type) {
	case *pb.WatchCreateRequest, *pb.WatchCancelRequest:
		name = fmt.Sprintf("%s on stream %d ", name, o.stream)
	}
	if o.streamed {
		name = "streamed " + name
	}
	if o.await {
		name = "awaited " + name
	}
	return fmt.Sprintf("%s{%.500s}", name, fmt.Sprint(o.Message))
}
