package usage

import (
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
)

// Unary counts a call that has been answered. resp is not looked at if err is not nil.
func (r *Recorder) Unary(c *Caller, req, resp any, err error) {
	n := Totals{Calls: 1}
	if err != nil {
		n.Errors = 1
		r.failed(req)
	} else {
		r.executed(req, resp, &n)
	}
	c.add(&n)
}

// executed counts the operations of a call, for their prefixes and in n.
func (r *Recorder) executed(req, resp any, n *Totals) {
	switch q := req.(type) {
	case *pb.RangeRequest:
		if a, ok := resp.(*pb.RangeResponse); ok {
			r.ranged(q, a, n)
		}
	case *pb.PutRequest:
		if a, ok := resp.(*pb.PutResponse); ok {
			r.put(q, a, n)
		}
	case *pb.DeleteRangeRequest:
		if a, ok := resp.(*pb.DeleteRangeResponse); ok {
			r.deleted(q, a, n)
		}
	case *pb.TxnRequest:
		if a, ok := resp.(*pb.TxnResponse); ok {
			r.txn(q, a, n)
		}
	}
}

func (r *Recorder) one(key, end []byte, c Totals, n *Totals) {
	n.add(&c)
	r.about(key, end, &c)
}

func (r *Recorder) ranged(q *pb.RangeRequest, a *pb.RangeResponse, n *Totals) {
	r.one(q.Key, q.RangeEnd, Totals{Reads: 1, BytesRead: bytesOf(a.Kvs...)}, n)
}

func (r *Recorder) put(q *pb.PutRequest, a *pb.PutResponse, n *Totals) {
	r.one(q.Key, nil, Totals{Writes: 1, BytesWritten: int64(len(q.Key) + len(q.Value)), BytesRead: bytesOf(a.PrevKv)}, n)
}

func (r *Recorder) deleted(q *pb.DeleteRangeRequest, a *pb.DeleteRangeResponse, n *Totals) {
	r.one(q.Key, q.RangeEnd, Totals{Writes: 1, BytesRead: bytesOf(a.PrevKvs...)}, n)
}

// txn counts the operations of the branch that was executed.
func (r *Recorder) txn(q *pb.TxnRequest, a *pb.TxnResponse, n *Totals) {
	branch := q.Failure
	if a.Succeeded {
		branch = q.Success
	}
	if len(branch) == 0 && len(q.Compare) > 0 {
		r.one(q.Compare[0].Key, q.Compare[0].RangeEnd, Totals{Reads: 1}, n)
	}
	for i := range min(len(branch), len(a.Responses)) {
		switch op := branch[i].Request.(type) {
		case *pb.RequestOp_RequestRange:
			r.ranged(op.RequestRange, a.Responses[i].GetResponseRange(), n)
		case *pb.RequestOp_RequestPut:
			r.put(op.RequestPut, a.Responses[i].GetResponsePut(), n)
		case *pb.RequestOp_RequestDeleteRange:
			r.deleted(op.RequestDeleteRange, a.Responses[i].GetResponseDeleteRange(), n)
		case *pb.RequestOp_RequestTxn:
			r.txn(op.RequestTxn, a.Responses[i].GetResponseTxn(), n)
		}
	}
}

// failed counts an error for the first key that a call is about.
func (r *Recorder) failed(req any) {
	c := Totals{Errors: 1}
	switch q := req.(type) {
	case *pb.RangeRequest:
		r.about(q.Key, q.RangeEnd, &c)
	case *pb.PutRequest:
		r.about(q.Key, nil, &c)
	case *pb.DeleteRangeRequest:
		r.about(q.Key, q.RangeEnd, &c)
	case *pb.TxnRequest:
		if key, end, ok := firstKey(q); ok {
			r.about(key, end, &c)
		}
	}
}

// firstKey is the first key, or range of keys, in a transaction.
func firstKey(q *pb.TxnRequest) (key, end []byte, ok bool) {
	for _, c := range q.Compare {
		return c.GetKey(), c.GetRangeEnd(), true
	}
	for _, ops := range [][]*pb.RequestOp{q.Success, q.Failure} {
		for _, op := range ops {
			switch op := op.GetRequest().(type) {
			case *pb.RequestOp_RequestRange:
				return op.RequestRange.GetKey(), op.RequestRange.GetRangeEnd(), true
			case *pb.RequestOp_RequestPut:
				return op.RequestPut.GetKey(), nil, true
			case *pb.RequestOp_RequestDeleteRange:
				return op.RequestDeleteRange.GetKey(), op.RequestDeleteRange.GetRangeEnd(), true
			}
		}
	}
	return nil, nil, false
}

// bytesOf are those of keys and values.
func bytesOf(kvs ...*mvccpb.KeyValue) (n int64) {
	for _, kv := range kvs {
		if kv != nil {
			n += int64(len(kv.Key) + len(kv.Value))
		}
	}
	return n
}
