package robustness

import (
	"fmt"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/tests/v3/robustness/model"

	"github.com/zkine/zkine/revision/recordpb"
)

// translate says in the model's words what a record asks for; nil if the model
// has no word for it because it changes neither keys nor leases nor the compact
// revision: a keepalive, an alarm, what zkines tell one another. Whether the request took effect is not its business. A request that the
// model would understand differently is an error: it has no ranges in deletes,
// no compares but equality of versions and revisions, no nested transactions.
func translate(r *recordpb.Request) (*model.EtcdRequest, error) {
	switch kind := r.GetKind().(type) {
	case *recordpb.Request_Put:
		return single(putOperation(kind.Put))
	case *recordpb.Request_DeleteRange:
		return single(deleteOperation(kind.DeleteRange))
	case *recordpb.Request_Txn:
		return txn(kind.Txn)
	case *recordpb.Request_Compaction:
		return &model.EtcdRequest{
			Type:    model.Compact,
			Compact: &model.CompactRequest{Revision: kind.Compaction.Revision},
		}, nil
	case *recordpb.Request_LeaseGrant:
		return &model.EtcdRequest{
			Type:       model.LeaseGrant,
			LeaseGrant: &model.LeaseGrantRequest{LeaseID: kind.LeaseGrant.ID},
		}, nil
	case *recordpb.Request_LeaseRevoke:
		return revoke(kind.LeaseRevoke.ID), nil
	case *recordpb.Request_LeaseExpire:
		return revoke(kind.LeaseExpire.Id), nil
	case *recordpb.Request_LeaseRenew, *recordpb.Request_LeaseRemaining, *recordpb.Request_Alarm,
		*recordpb.Request_DigestMark, *recordpb.Request_DigestReport:
		return nil, nil
	}
	return nil, fmt.Errorf("the model has no request like %T", r.GetKind())
}

func revoke(lease int64) *model.EtcdRequest {
	return &model.EtcdRequest{
		Type:        model.LeaseRevoke,
		LeaseRevoke: &model.LeaseRevokeRequest{LeaseID: lease},
	}
}

// single is a request of one operation: for the model a transaction.
func single(op model.EtcdOperation, err error) (*model.EtcdRequest, error) {
	if err != nil {
		return nil, err
	}
	return &model.EtcdRequest{
		Type: model.Txn,
		Txn:  &model.TxnRequest{OperationsOnSuccess: []model.EtcdOperation{op}},
	}, nil
}

func txn(r *pb.TxnRequest) (*model.EtcdRequest, error) {
	// Empty, not nil: reports that come from JSON have it so as well.
	t := &model.TxnRequest{
		Conditions:          []model.EtcdCondition{},
		OperationsOnSuccess: []model.EtcdOperation{},
		OperationsOnFailure: []model.EtcdOperation{},
	}
	for _, c := range r.Compare {
		condition, err := condition(c)
		if err != nil {
			return nil, err
		}
		t.Conditions = append(t.Conditions, condition)
	}
	for _, branch := range []struct {
		from []*pb.RequestOp
		to   *[]model.EtcdOperation
	}{{r.Success, &t.OperationsOnSuccess}, {r.Failure, &t.OperationsOnFailure}} {
		for _, op := range branch.from {
			translated, err := operation(op)
			if err != nil {
				return nil, err
			}
			*branch.to = append(*branch.to, translated)
		}
	}
	return &model.EtcdRequest{Type: model.Txn, Txn: t}, nil
}

func condition(c *pb.Compare) (model.EtcdCondition, error) {
	if c.Result == pb.Compare_EQUAL && len(c.RangeEnd) == 0 {
		switch c.Target {
		case pb.Compare_MOD:
			return model.EtcdCondition{Key: string(c.Key), ExpectedRevision: c.GetModRevision()}, nil
		case pb.Compare_VERSION:
			return model.EtcdCondition{Key: string(c.Key), ExpectedVersion: c.GetVersion()}, nil
		}
	}
	return model.EtcdCondition{}, fmt.Errorf("the model has no compare like %v", c)
}

func operation(op *pb.RequestOp) (model.EtcdOperation, error) {
	switch kind := op.GetRequest().(type) {
	case *pb.RequestOp_RequestRange:
		return rangeOperation(kind.RequestRange)
	case *pb.RequestOp_RequestPut:
		return putOperation(kind.RequestPut)
	case *pb.RequestOp_RequestDeleteRange:
		return deleteOperation(kind.RequestDeleteRange)
	}
	return model.EtcdOperation{}, fmt.Errorf("the model has no operation like %T", op.GetRequest())
}

func rangeOperation(r *pb.RangeRequest) (model.EtcdOperation, error) {
	if r.Revision != 0 {
		return model.EtcdOperation{}, fmt.Errorf("the model has no range at revision %d inside a transaction", r.Revision)
	}
	return model.EtcdOperation{
		Type: model.RangeOperation,
		Range: model.RangeOptions{
			Start: string(r.Key), End: string(r.RangeEnd), Limit: r.Limit, KeysOnly: r.KeysOnly,
		},
	}, nil
}

func putOperation(r *pb.PutRequest) (model.EtcdOperation, error) {
	if r.IgnoreValue || r.IgnoreLease {
		return model.EtcdOperation{}, fmt.Errorf("the model has no put that keeps the value or the lease of %q", r.Key)
	}
	return model.EtcdOperation{
		Type: model.PutOperation,
		Put: model.PutOptions{
			Key: string(r.Key), Value: model.ToValueOrHash(string(r.Value)), LeaseID: r.Lease,
		},
	}, nil
}

func deleteOperation(r *pb.DeleteRangeRequest) (model.EtcdOperation, error) {
	if len(r.RangeEnd) != 0 {
		return model.EtcdOperation{}, fmt.Errorf("the model has no delete from %q to %q", r.Key, r.RangeEnd)
	}
	return model.EtcdOperation{
		Type:   model.DeleteOperation,
		Delete: model.DeleteOptions{Key: string(r.Key)},
	}, nil
}
