package state

import (
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// maxCompared is how many keys the comparisons of one transaction may look at.
// One pass over all existing keys is always allowed. Each zkine looks at them when
// it applies the record, and again at each start that replays it.
const maxCompared = 1 << 20

// unweighed is how many keys an answer may have without its size being computed.
// With values of the usual largest size they stay below maxAnswer.
const unweighed = 256

// Afford is an error for a transaction that costs too much: ErrTooManyCompared if
// it does on every zkine, ErrAnswerTooLarge if it does on the one that answers it.
// It is asked when a transaction is accepted, as of the state then. It is never
// asked when one is applied: what is in the log is evaluated at any cost.
func (v *View) Afford(r *pb.TxnRequest) error {
	s := &v.store
	if n := s.compared(r); n > max(maxCompared, s.live.Len()) {
		return ErrTooManyCompared
	}
	if !readsMany(r) {
		return nil
	}
	p := &plan{}
	if s.plan(r, p) != nil {
		return nil // it is refused when it is evaluated
	}
	w := weighing{store: s}
	if w.path(r, p, w.count); w.keys <= unweighed {
		return nil
	}
	if w.left = maxAnswer - answerEach*int64(w.keys); w.left >= 0 {
		w.path(r, p, w.weigh)
	}
	if w.left < 0 {
		return ErrAnswerTooLarge
	}
	return nil
}

// compared is how many keys all comparisons of a transaction look at, at most.
func (s *store) compared(r *pb.TxnRequest) (n int) {
	for _, c := range r.GetCompare() {
		if n++; len(c.GetRangeEnd()) > 0 {
			n += s.count(newSpan(c.Key, c.RangeEnd))
		}
	}
	eachNested(r, func(nested *pb.TxnRequest) { n += s.compared(nested) })
	return n
}

// readsMany says whether some operation can put more than one key into the
// answer.
func readsMany(r *pb.TxnRequest) (many bool) {
	for _, ops := range [][]*pb.RequestOp{r.GetSuccess(), r.GetFailure()} {
		for _, op := range ops {
			_, end, _ := keysReturned(op)
			many = many || len(end) > 0
		}
	}
	eachNested(r, func(nested *pb.TxnRequest) { many = many || readsMany(nested) })
	return many
}

func eachNested(r *pb.TxnRequest, f func(*pb.TxnRequest)) {
	for _, ops := range [][]*pb.RequestOp{r.GetSuccess(), r.GetFailure()} {
		for _, op := range ops {
			if nested := op.GetRequestTxn(); nested != nil {
				f(nested)
			}
		}
	}
}

// keysReturned is the keys that an operation puts into the answer; nil for none.
// r says in which form, nil for whole.
func keysReturned(op *pb.RequestOp) (key, end []byte, r *pb.RangeRequest) {
	switch op := op.GetRequest().(type) {
	case *pb.RequestOp_RequestRange:
		if r := op.RequestRange; r != nil && !r.CountOnly {
			return r.Key, r.RangeEnd, r
		}
	case *pb.RequestOp_RequestDeleteRange:
		if r := op.RequestDeleteRange; r.GetPrevKv() {
			return r.Key, r.RangeEnd, nil
		}
	case *pb.RequestOp_RequestPut:
		if r := op.RequestPut; r.GetPrevKv() {
			return r.Key, nil, nil
		}
	}
	return nil, nil, nil
}

// weighing estimates how large an answer will be. A range at an older revision
// counts as one at the current revision, and bounds on revisions are ignored.
type weighing struct {
	*store
	keys int
	left int64
}

// path calls each with the operations that will be carried out.
func (w *weighing) path(r *pb.TxnRequest, p *plan, each func(*pb.RequestOp)) {
	p.next = 0
	w.walkPath(r, p, each)
}

func (w *weighing) walkPath(r *pb.TxnRequest, p *plan, each func(*pb.RequestOp)) {
	ops, _ := p.branch(r)
	for _, op := range ops {
		if nested := op.GetRequestTxn(); nested != nil {
			w.walkPath(nested, p, each)
			continue
		}
		each(op)
	}
}

func (w *weighing) count(op *pb.RequestOp) {
	if key, end, r := keysReturned(op); key != nil {
		w.keys += limited(w.store.count(newSpan(key, end)), r)
	}
}

func (w *weighing) weigh(op *pb.RequestOp) {
	key, end, r := keysReturned(op)
	if key == nil {
		return
	}
	sp := newSpan(key, end)
	n := limited(w.store.count(sp), r)
	if n == 0 {
		return
	}
	w.walk(sp, func(v *version) bool {
		w.left -= v.answerBytes(r)
		n--
		return n > 0 && w.left >= 0
	})
}

func limited(n int, r *pb.RangeRequest) int {
	if limit := r.GetLimit(); limit > 0 && limit < int64(n) {
		return int(limit)
	}
	return n
}
