package state

import (
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/zkine/zkine/revision"
)

// What a transaction reads, and which values were there before, is built only
// where somebody waits for it: every zkine applies the record, and does so again
// at every start. etcd does the same (txn.Txn, skipRangeExecution). So nothing
// that goes into an answer may decide what becomes of the state: all that can
// fail is checked before (see txn.go), and what is too large, or panics, ends the
// answer and not the request.

const (
	// maxAnswer bounds what the answer to one transaction takes in memory while
	// it is built, in bytes. In etcd nothing does but the 2 GiB of a gRPC message,
	// when it is sent.
	maxAnswer = 512 << 20
	// answerEach is what a key takes in an answer besides its bytes.
	answerEach = 128
)

// answering builds the answer to one request.
type answering struct {
	wanted bool
	left   int64 // bytes that it may still take
	err    error // why there is none
}

// takes says whether the versions are to be built into the answer.
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

// answerBytes is what a version has in the answer to a range; r may be nil.
func (v *version) answerBytes(r *pb.RangeRequest) int64 {
	if r.GetKeysOnly() {
		return int64(v.keyLen)
	}
	return int64(len(v.wire))
}

// read answers a range that was checked; nil if that is not to be.
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

// readGuarded is read for a request that writes: a panic is the answer's alone,
// since where nobody waits for it there is none.
func (a *answering) readGuarded(s *store, r *pb.RangeRequest) *pb.ResponseOp {
	defer func() {
		if recover() != nil {
			a.err = ErrAnswerFailed
		}
	}()
	return a.read(s, r)
}

// previous is the values that were there before; nil if they are not to be in
// the answer.
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

// writes says whether a transaction has anything but reads, on whichever branch.
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
