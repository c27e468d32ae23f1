package v3rpc

import (
	"math"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/protobuf/proto"
)

// The checks of this file look at a request alone, never at the state. They
// refuse what etcd's v3rpc/key.go refuses, in its order and words: the
// client of a request with two faults is told the same one.

type limits struct {
	maxRequestBytes int
	maxTxnOps       int
}

func checkRange(r *pb.RangeRequest) error {
	if len(r.GetKey()) == 0 {
		return rpctypes.ErrGRPCEmptyKey
	}
	if _, ok := pb.RangeRequest_SortOrder_name[int32(r.SortOrder)]; !ok {
		return rpctypes.ErrGRPCInvalidSortOption
	}
	if _, ok := pb.RangeRequest_SortTarget_name[int32(r.SortTarget)]; !ok {
		return rpctypes.ErrGRPCInvalidSortOption
	}
	return nil
}

// checkRangeStream refuses orders; a target without an order passes, and sorts
// upwards.
func checkRangeStream(r *pb.RangeRequest) error {
	if err := checkRange(r); err != nil {
		return err
	}
	ascendingKeys := r.SortTarget == pb.RangeRequest_KEY && r.SortOrder == pb.RangeRequest_ASCEND
	if r.SortOrder != pb.RangeRequest_NONE && !ascendingKeys {
		return errStreamOrder
	}
	filtered := r.MinModRevision != 0 || r.MaxModRevision != 0 || r.MinCreateRevision != 0 || r.MaxCreateRevision != 0
	if filtered {
		return errStreamFilter
	}
	return nil
}

func checkPut(r *pb.PutRequest) error {
	switch {
	case len(r.GetKey()) == 0:
		return rpctypes.ErrGRPCEmptyKey
	case r.IgnoreValue && len(r.Value) != 0:
		return rpctypes.ErrGRPCValueProvided
	case r.IgnoreLease && r.Lease != 0:
		return rpctypes.ErrGRPCLeaseProvided
	}
	return nil
}

func checkDeleteRange(r *pb.DeleteRangeRequest) error {
	if len(r.GetKey()) == 0 {
		return rpctypes.ErrGRPCEmptyKey
	}
	return nil
}

// checkTxn checks a transaction with all that is nested in it, and then that
// no key is written twice. The second costs more, and comes after the first
// has bounded the request.
func checkTxn(r *pb.TxnRequest, maxOps int) error {
	if err := checkTxnShape(r, maxOps); err != nil {
		return err
	}
	if err := checkOverlap(r.GetSuccess()); err != nil {
		return err
	}
	return checkOverlap(r.GetFailure())
}

// checkTxnShape checks each part by itself. budget is how many entries a list
// may have; the longest list of each level is taken off what nested ones may.
func checkTxnShape(r *pb.TxnRequest, budget int) error {
	longest := max(len(r.GetCompare()), len(r.GetSuccess()), len(r.GetFailure()))
	if longest > budget {
		return rpctypes.ErrGRPCTooManyOps
	}
	for _, c := range r.GetCompare() {
		if len(c.GetKey()) == 0 {
			return rpctypes.ErrGRPCEmptyKey
		}
	}
	for _, branch := range [][]*pb.RequestOp{r.GetSuccess(), r.GetFailure()} {
		for _, op := range branch {
			if err := checkOp(op, budget-longest); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkOp(op *pb.RequestOp, budget int) error {
	switch op := op.GetRequest().(type) {
	case *pb.RequestOp_RequestRange:
		return checkRange(op.RequestRange)
	case *pb.RequestOp_RequestPut:
		return checkPut(op.RequestPut)
	case *pb.RequestOp_RequestDeleteRange:
		return checkDeleteRange(op.RequestDeleteRange)
	case *pb.RequestOp_RequestTxn:
		return checkTxnShape(op.RequestTxn, budget)
	default: // no operation in it
		return rpctypes.ErrGRPCKeyNotFound
	}
}

// ReadOnly says whether a transaction changes nothing; like etcd, it does not
// look into nested ones.
func ReadOnly(r *pb.TxnRequest) bool {
	for _, branch := range [][]*pb.RequestOp{r.GetSuccess(), r.GetFailure()} {
		for _, op := range branch {
			if op.GetRequestRange() == nil {
				return false
			}
		}
	}
	return true
}

// checkSize refuses a write that etcd would not propose to raft: what counts
// there is the request wrapped for raft, with an id. The id's size varies a
// little with etcd's member; the most usual one, ten bytes, is assumed.
func checkSize(raft *pb.InternalRaftRequest, maxBytes int) error {
	raft.Header = &pb.RequestHeader{ID: math.MaxUint64}
	if proto.Size(raft) > maxBytes {
		return rpctypes.ErrGRPCRequestTooLarge
	}
	return nil
}
