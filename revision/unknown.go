package revision

import (
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/zkine/zkine/revision/recordpb"
)

// unknown says whether a message or one within it carries fields that this
// binary does not know. To skip them could mean to evaluate the request
// otherwise than the member that wrote it.
func unknown(m protoreflect.Message) bool {
	if len(m.GetUnknown()) > 0 {
		return true
	}
	found := false
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case fd.Message() == nil || fd.IsMap():
		case fd.IsList():
			for i := 0; i < v.List().Len() && !found; i++ {
				found = unknown(v.List().Get(i).Message())
			}
		default:
			found = unknown(v.Message())
		}
		return !found
	})
	return found
}

// StripUnknown takes fields out of a request that this binary does not know.
// The member that accepts a request calls it: what goes into the log is what
// was evaluated, and never looks like a newer member's record.
//
// The requests that matter are looked through without reflection, which took
// as long as encoding them.
func StripUnknown(r *recordpb.Request) {
	stripOne(r)
	if h := r.GetHeader(); h != nil {
		stripOne(h)
	}
	switch kind := r.GetKind().(type) {
	case *recordpb.Request_Put:
		stripOne(kind.Put)
	case *recordpb.Request_DeleteRange:
		stripOne(kind.DeleteRange)
	case *recordpb.Request_Txn:
		stripTxn(kind.Txn)
	default:
		strip(r.ProtoReflect())
	}
}

func stripTxn(r *pb.TxnRequest) {
	stripOne(r)
	for _, c := range r.GetCompare() {
		stripOne(c)
	}
	for _, ops := range [][]*pb.RequestOp{r.GetSuccess(), r.GetFailure()} {
		for _, op := range ops {
			stripOp(op)
		}
	}
}

func stripOp(op *pb.RequestOp) {
	stripOne(op)
	switch request := op.GetRequest().(type) {
	case *pb.RequestOp_RequestRange:
		stripOne(request.RequestRange)
	case *pb.RequestOp_RequestPut:
		stripOne(request.RequestPut)
	case *pb.RequestOp_RequestDeleteRange:
		stripOne(request.RequestDeleteRange)
	case *pb.RequestOp_RequestTxn:
		stripTxn(request.RequestTxn)
	}
}

// stripOne leaves what is nested in the message alone.
func stripOne(message proto.Message) {
	if m := message.ProtoReflect(); len(m.GetUnknown()) > 0 {
		m.SetUnknown(nil)
	}
}

func strip(m protoreflect.Message) {
	if len(m.GetUnknown()) > 0 {
		m.SetUnknown(nil)
	}
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case fd.Message() == nil || fd.IsMap():
		case fd.IsList():
			for i := range v.List().Len() {
				strip(v.List().Get(i).Message())
			}
		default:
			strip(v.Message())
		}
		return true
	})
}
