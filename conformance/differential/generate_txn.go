package differential

import (
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// limit is how many operations etcd takes in a list of a transaction.
const limit = 128

// txn makes a transaction with others in it, depth levels deep.
func (g *generator) txn(depth int) *pb.TxnRequest {
	r := &pb.TxnRequest{}
	for range g.IntN(3) {
		r.Compare = append(r.Compare, g.compare())
	}
	most := 4
	if g.one(200) {
		most = 140
	}
	for range g.IntN(most) {
		r.Success = append(r.Success, g.op(depth))
	}
	for range g.IntN(most) {
		r.Failure = append(r.Failure, g.op(depth))
	}
	return r
}

func (g *generator) op(depth int) *pb.RequestOp {
	switch n := g.IntN(20); {
	case n < 9:
		return &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: g.put()}}
	case n < 14:
		return &pb.RequestOp{Request: &pb.RequestOp_RequestRange{RequestRange: g.rangeRequest()}}
	case n < 17:
		return &pb.RequestOp{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: g.deleteRange(false)}}
	case depth > 0:
		return nested(g.txn(depth - 1))
	case g.one(20):
		return &pb.RequestOp{}
	default:
		return &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: g.put()}}
	}
}

func nested(r *pb.TxnRequest) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestTxn{RequestTxn: r}}
}

// fullTxn makes a transaction with about as many operations or compares as the limit allows, in it or in one below it.
func (g *generator) fullTxn() *pb.TxnRequest {
	r := &pb.TxnRequest{}
	switch g.IntN(4) {
	case 0:
		r.Success = g.fullList()
	case 1:
		r.Failure = g.fullList()
	case 2:
		r.Success = []*pb.RequestOp{g.op(0), nested(&pb.TxnRequest{Success: g.fullList(), Failure: g.fullList()})}
	default:
		for range g.about() {
			r.Compare = append(r.Compare, g.compare())
		}
		r.Success = []*pb.RequestOp{g.op(1)}
	}
	return r
}

// about is a number around the limit.
func (g *generator) about() int { return limit - 2 + g.IntN(5) }

// fullList is operations on keys of their own: they do not fail over one another.
func (g *generator) fullList() (ops []*pb.RequestOp) {
	kind := g.IntN(4)
	for i := range g.about() {
		switch kind {
		case 0:
			ops = append(ops, &pb.RequestOp{Request: &pb.RequestOp_RequestRange{RequestRange: &pb.RangeRequest{Key: many(i)}}})
		case 1:
			ops = append(ops, &pb.RequestOp{Request: &pb.RequestOp_RequestDeleteRange{
				RequestDeleteRange: &pb.DeleteRangeRequest{Key: many(i), PrevKv: g.one(2)}}})
		default:
			ops = append(ops, &pb.RequestOp{Request: &pb.RequestOp_RequestPut{
				RequestPut: &pb.PutRequest{Key: many(i), Value: []byte(pick(g, values)), PrevKv: g.one(2)}}})
		}
	}
	return ops
}

func (g *generator) compare() *pb.Compare {
	c := &pb.Compare{
		Result: pb.Compare_CompareResult(g.IntN(4)),
		Target: pb.Compare_CompareTarget(g.IntN(5)),
	}
	if g.one(60) {
		c.Result = 7
	}
	c.Key, c.RangeEnd = g.bounds()
	target := c.Target
	if g.one(30) {
		target = pb.Compare_CompareTarget(g.IntN(6)) // the wrong one, or none
	}
	if g.one(60) {
		c.Target = 9
	}
	switch target {
	case pb.Compare_VERSION:
		c.TargetUnion = &pb.Compare_Version{Version: g.Int64N(4)}
	case pb.Compare_CREATE:
		c.TargetUnion = &pb.Compare_CreateRevision{CreateRevision: pick(g, []int64{0, g.revision - g.Int64N(20)})}
	case pb.Compare_MOD:
		c.TargetUnion = &pb.Compare_ModRevision{ModRevision: pick(g, []int64{0, g.revision - g.Int64N(20)})}
	case pb.Compare_VALUE:
		c.TargetUnion = &pb.Compare_Value{Value: []byte(pick(g, values))}
	case pb.Compare_LEASE:
		c.TargetUnion = &pb.Compare_Lease{Lease: g.leaseID()}
	}
	return c
}
