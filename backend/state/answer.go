package state

import (
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/zkine/zkine/revision"
)

// The answer to a request is what its client gets: the ranges of a transaction,
// and previous values. It is built only on the zkine whose client waits for it:
// every zkine applies the record, and does so again at every start. etcd does the
// same (txn.Txn, skipRangeExecution).
//
// So the state must not depend on an answer. All that can fail is checked before
// (see txn.go). An answer that is too large, or panics, fails alone: the request
// takes effect all the same.

const (
	// maxAnswer bounds what the answer to one transaction takes in memory while
	// it is built, in bytes. etcd's only bound is the 2 GiB of a gRPC message, when
	// the answer is sent.
	maxAnswer = 512 << 20
	// answerEach is what a key takes in an answer besides its bytes.
	answerEach = 128
)

// answering builds the answer to one request.
type answering struct {
	wanted bool
	left   int64 // bytes that it may still take
	err    error // why it is not built
}

// takes says whether the versions are to be part of the answer.
func (a *answering) takes(versions []*version, r *pb.RangeRequest) bool {
	if !a.wanted || a.err != nil {
		return false
	}
	a.left -= answerEach * int64(len(versions))
	for i := 0; i < len(versions) && a.left >= 0; i++ {
		a.left -= versions[i].answerBytes(r)
	}
	if a.left < 0 {
		a.err = ErrUnanswered
	}
	return a.err == nil
}

// answerBytes is how many bytes a version has in the answer to a range; r may be
// nil.
func (v *version) answerBytes(r *pb.RangeRequest) int64 {
	if r.GetKeysOnly() {
		return int64(len(v.key))
	}
	return int64(v.wireLen())
}

// read is the answer to a range that was checked; nil if none is built.
func (a *answering) read(s *store, r *pb.RangeRequest) *pb.ResponseOp {
	if !a.wanted || a.err != nil {
		return nil
	}
	rev := s.current()
	if r.Revision > 0 {
		rev = revision.Rev(r.Revision)
	}
	resp, versions := s.find(r, rev)
	if !r.CountOnly {
		if !a.takes(versions, r) {
			return nil
		}
		resp.Kvs = keyValues(versions, r)
	}
	return &pb.ResponseOp{Response: &pb.ResponseOp_ResponseRange{ResponseRange: resp}}
}

// readGuarded is read for a request that writes. A panic ends the answer only:
// zkines that build no answer do not panic either.
func (a *answering) readGuarded(s *store, r *pb.RangeRequest) *pb.ResponseOp {
	defer func() {
		if recover() != nil {
			a.err = ErrAnswerFailed
		}
	}()
	return a.read(s, r)
}

// previous is the values before the request; nil if they are not part of the
// answer.
func (a *answering) previous(versions []*version) (kvs []*mvccpb.KeyValue) {
	defer func() {
		if recover() != nil {
			kvs, a.err = nil, ErrAnswerFailed
		}
	}()
	if !a.takes(versions, nil) {
		return nil
	}
	return keyValues(versions, &pb.RangeRequest{})
}

// writes says whether a transaction has other operations than ranges, on either
// branch, in nested ones too.
func writes(r *pb.TxnRequest) bool {
	for _, ops := range [][]*pb.RequestOp{r.GetSuccess(), r.GetFailure()} {
		for _, op := range ops {
			switch op := op.GetRequest().(type) {
			case *pb.RequestOp_RequestRange:
			case *pb.RequestOp_RequestTxn:
				if writes(op.RequestTxn) {
					return true
				}
			default:
				return true
			}
		}
	}
	return false
}
