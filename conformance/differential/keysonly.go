package differential

import (
	"context"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// etcd 3.7 answers a request for keys only from its index, where the leases are not, unless it sorts by value; 3.6 reads
// the keys and leaves out the values (etcd issue 22209). zkine does as 3.6. So this etcd's answers are given the leases
// that it tells when it is asked for the values too; nothing else of them is changed. TestKeysOnly shows that this is how
// it is, and fails once etcd tells them by itself.

// losesLeases says whether etcd leaves the leases out.
func losesLeases(r *pb.RangeRequest) bool {
	return r.GetKeysOnly() && r.SortTarget != pb.RangeRequest_VALUE
}

// withLeases is a range of etcd's, by ask, with the leases.
func withLeases(r *pb.RangeRequest, ask func(*pb.RangeRequest) (*pb.RangeResponse, error)) (*pb.RangeResponse, error) {
	response, err := ask(r)
	if err != nil || !losesLeases(r) {
		return response, err
	}
	more, err := ask(withValues(r))
	if err != nil {
		return nil, err
	}
	leases := map[string]int64{}
	for _, kv := range more.Kvs {
		leases[string(kv.Key)] = kv.Lease
	}
	for _, kv := range response.Kvs {
		kv.Lease = leases[string(kv.Key)]
	}
	return response, nil
}

// txnWithLeases is a transaction of etcd's with the leases. As it can be made only once, it is made with the values.
func (s *store) txnWithLeases(ctx context.Context, r *pb.TxnRequest) (*pb.TxnResponse, error) {
	changed := proto.CloneOf(r)
	eachRange(changed, func(op *pb.RequestOp_RequestRange) {
		if losesLeases(op.RequestRange) {
			op.RequestRange = withValues(op.RequestRange)
		}
	})
	response, err := s.kv.Txn(ctx, changed)
	if err == nil {
		dropValues(r, response)
	}
	return response, err
}

// eachRange calls f with the ranges of a transaction, nested ones too.
func eachRange(r *pb.TxnRequest, f func(*pb.RequestOp_RequestRange)) {
	for _, branch := range [][]*pb.RequestOp{r.GetSuccess(), r.GetFailure()} {
		for _, op := range branch {
			switch op := op.Request.(type) {
			case *pb.RequestOp_RequestRange:
				f(op)
			case *pb.RequestOp_RequestTxn:
				eachRange(op.RequestTxn, f)
			}
		}
	}
}

// dropValues leaves out the values that a transaction did not ask for.
func dropValues(request *pb.TxnRequest, response *pb.TxnResponse) {
	branch := request.Failure
	if response.Succeeded {
		branch = request.Success
	}
	for i, r := range response.Responses {
		switch u := r.Response.(type) {
		case *pb.ResponseOp_ResponseRange:
			if losesLeases(branch[i].GetRequestRange()) {
				withoutValues(u.ResponseRange.Kvs)
			}
		case *pb.ResponseOp_ResponseTxn:
			dropValues(branch[i].GetRequestTxn(), u.ResponseTxn)
		}
	}
}

func withoutValues(kvs []*mvccpb.KeyValue) {
	for _, kv := range kvs {
		kv.Value = nil
	}
}

// withValues is the request without keys_only, and with a field that etcd does not know in its place: the size of a
// request counts, and stays as it is.
func withValues(r *pb.RangeRequest) *pb.RangeRequest {
	r = proto.CloneOf(r)
	r.KeysOnly = false
	const unknownField = 15
	r.ProtoReflect().SetUnknown(protowire.AppendVarint(protowire.AppendTag(nil, unknownField, protowire.VarintType), 1))
	return r
}
