package state

import (
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// A transaction is evaluated in three steps, as etcd does it:
//
//  1. plan: all comparisons, those of nested transactions included, are
//     evaluated on the state before the transaction. That settles which
//     operations are carried out: the path.
//  2. check: everything on the path that may fail is looked at, still on the
//     state before.
//  3. execute: the operations of the path in order, each on the state that those
//     before it have left. No operation can fail here.

// IsReadOnly says whether a transaction has only ranges, on both branches. As in
// etcd, a nested transaction is never read-only.
func IsReadOnly(r *pb.TxnRequest) bool {
	return all(r, func(*pb.RangeRequest) bool { return true })
}

// IsSerializable says whether a transaction has only serializable ranges, on both
// branches.
func IsSerializable(r *pb.TxnRequest) bool {
	return all(r, (*pb.RangeRequest).GetSerializable)
}

func all(r *pb.TxnRequest, holds func(*pb.RangeRequest) bool) bool {
	for _, ops := range [][]*pb.RequestOp{r.GetSuccess(), r.GetFailure()} {
		for _, op := range ops {
			if r := op.GetRequestRange(); r == nil || !holds(r) {
				return false
			}
		}
	}
	return true
}

// plan is the path of a transaction.
type plan struct {
	// taken tells for each transaction on the path, a parent before its
	// children and these in order, whether its comparisons held.
	taken []bool
	// next is how many of them a walk along the path has passed.
	next int
	// compared is how many keys the comparisons have looked at.
	compared int
	// compares is how many comparisons were evaluated.
	compares int
	// deletes are those that check has passed.
	deletes []*pb.DeleteRangeRequest
}

// branch is the operations of the next transaction of the path.
func (p *plan) branch(r *pb.TxnRequest) (ops []*pb.RequestOp, succeeded bool) {
	succeeded = p.taken[p.next]
	p.next++
	return branch(r, succeeded), succeeded
}

func branch(r *pb.TxnRequest, succeeded bool) []*pb.RequestOp {
	if succeeded {
		return r.Success
	}
	return r.Failure
}

// plan evaluates comparisons. Error: ErrMalformed for a missing part.
func (s *store) plan(r *pb.TxnRequest, p *plan) error {
	if r == nil {
		return ErrMalformed
	}
	for _, c := range r.Compare {
		if c == nil {
			return ErrMalformed
		}
	}
	succeeded, evaluated, looked := s.holds(r.Compare)
	p.compares += evaluated
	p.compared += looked
	p.taken = append(p.taken, succeeded)
	for _, op := range branch(r, succeeded) {
		if nested, ok := op.GetRequest().(*pb.RequestOp_RequestTxn); ok {
			if err := s.plan(nested.RequestTxn, p); err != nil {
				return err
			}
		}
	}
	return nil
}

// check is an error for anything on the path that would fail.
func (s *store) check(r *pb.TxnRequest, p *plan) error {
	ops, _ := p.branch(r)
	for _, op := range ops {
		if err := s.checkOp(op, p); err != nil {
			return err
		}
	}
	return nil
}

func (s *store) checkOp(op *pb.RequestOp, p *plan) error {
	switch op := op.GetRequest().(type) {
	case *pb.RequestOp_RequestRange:
		return s.checkRange(op.RequestRange)
	case *pb.RequestOp_RequestPut:
		if err := s.checkPut(op.RequestPut); err != nil {
			return err
		}
		return p.checkIgnore(op.RequestPut)
	case *pb.RequestOp_RequestDeleteRange:
		if op.RequestDeleteRange == nil {
			return ErrMalformed
		}
		p.deletes = append(p.deletes, op.RequestDeleteRange)
		return nil
	case *pb.RequestOp_RequestTxn:
		return s.check(op.RequestTxn, p)
	}
	return ErrKeyNotFound // an empty operation, as etcd words it
}

// checkRange differs from store.resolve on negative revisions: in a transaction
// they are compacted once they are below the compact revision, which begins at
// -1. So does etcd.
func (s *store) checkRange(r *pb.RangeRequest) error {
	switch {
	case r == nil || !knownTarget(r.SortTarget):
		return ErrMalformed
	case r.Revision == 0:
		return nil
	case r.Revision > int64(s.rev):
		return ErrFutureRev
	case r.Revision < int64(s.compactRev):
		return ErrCompacted
	}
	return nil
}

// checkIgnore refuses a put that wants to keep what the same transaction
// deletes before. (etcd panics there.)
func (p *plan) checkIgnore(r *pb.PutRequest) error {
	if !r.IgnoreValue && !r.IgnoreLease {
		return nil
	}
	for _, d := range p.deletes {
		if newSpan(d.Key, d.RangeEnd).contains(alias(r.Key)) {
			return ErrKeyNotFound
		}
	}
	return nil
}

// prepare is the steps before execution.
func (s *store) prepare(r *pb.TxnRequest) (*plan, error) {
	p := &plan{taken: make([]bool, 0, 4)}
	err := s.plan(r, p)
	if err == nil {
		err = s.check(r, p)
	}
	p.next = 0
	return p, err
}

// txn evaluates a transaction.
func (m *Machine) txn(r *pb.TxnRequest) (*pb.TxnResponse, error) {
	if !m.answer.wanted && !writes(r) {
		return nil, nil // it changes nothing, and no client waits for what it reads
	}
	p, err := m.prepare(r)
	m.compared += p.compared
	m.work.compare(p.compares)
	if err != nil {
		return nil, err
	}
	resp := m.execute(r, p)
	resp.Header.Revision = int64(m.current())
	return resp, nil
}

// execute carries out a branch. The revision in the header stays 0, as it does
// in etcd for nested transactions.
func (m *Machine) execute(r *pb.TxnRequest, p *plan) *pb.TxnResponse {
	ops, succeeded := p.branch(r)
	resp := &pb.TxnResponse{
		Header:    &pb.ResponseHeader{},
		Succeeded: succeeded,
		Responses: make([]*pb.ResponseOp, len(ops)),
	}
	for i, op := range ops {
		resp.Responses[i] = m.executeOp(op, p)
	}
	return resp
}

func (m *Machine) executeOp(op *pb.RequestOp, p *plan) *pb.ResponseOp {
	switch op := op.Request.(type) {
	case *pb.RequestOp_RequestRange:
		m.work.Ranges++
		return m.answer.readGuarded(&m.store, op.RequestRange)
	case *pb.RequestOp_RequestPut:
		return &pb.ResponseOp{Response: &pb.ResponseOp_ResponsePut{ResponsePut: m.put(op.RequestPut)}}
	case *pb.RequestOp_RequestDeleteRange:
		resp := m.deleteRange(op.RequestDeleteRange)
		return &pb.ResponseOp{Response: &pb.ResponseOp_ResponseDeleteRange{ResponseDeleteRange: resp}}
	case *pb.RequestOp_RequestTxn:
		resp := m.execute(op.RequestTxn, p)
		return &pb.ResponseOp{Response: &pb.ResponseOp_ResponseTxn{ResponseTxn: resp}}
	}
	panic("state: an empty operation passed the check")
}
