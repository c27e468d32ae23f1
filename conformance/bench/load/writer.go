package load

import (
	"context"
	"errors"
	"fmt"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/conformance/bench/load/wiregrpc"
)

// writer makes one client's transactions, in kube-apiserver's three shapes. Its messages and buffers are reused.
type writer struct {
	conn   *wiregrpc.Conn
	values *values
	buffer frame
	reply  txnReply
}

// create makes a key that is not there yet, and returns the revision.
func (w *writer) create(ctx context.Context, key []byte) (int64, error) {
	return w.txn(ctx, "create", key, &pb.TxnRequest{
		Compare: []*pb.Compare{compareMod(key, 0)},
		Success: []*pb.RequestOp{putOp(key, w.values.next())},
	})
}

// update changes a key that was last changed at mod.
func (w *writer) update(ctx context.Context, key []byte, mod int64) (int64, error) {
	return w.txn(ctx, "update", key, updateRequest(key, w.values.next(), mod))
}

func updateRequest(key, value []byte, mod int64) *pb.TxnRequest {
	return &pb.TxnRequest{
		Compare: []*pb.Compare{compareMod(key, mod)},
		Success: []*pb.RequestOp{putOp(key, value)},
		Failure: []*pb.RequestOp{getOp(key)},
	}
}

// remove deletes a key that was last changed at mod.
func (w *writer) remove(ctx context.Context, key []byte, mod int64) (int64, error) {
	return w.txn(ctx, "delete", key, &pb.TxnRequest{
		Compare: []*pb.Compare{compareMod(key, mod)},
		Success: []*pb.RequestOp{deleteOp(key)},
		Failure: []*pb.RequestOp{getOp(key)},
	})
}

var errCompare = errors.New("the comparison failed, though nobody else writes this key")

func (w *writer) txn(ctx context.Context, what string, key []byte, request *pb.TxnRequest) (int64, error) {
	var err error
	if w.buffer, err = marshal(w.buffer, request); err != nil {
		return 0, err
	}
	if err := call(ctx, w.conn, txnMethod, w.buffer, &w.reply); err != nil {
		return 0, err
	}
	if !w.reply.succeeded {
		return 0, fmt.Errorf("%s of %q: %w", what, key, errCompare)
	}
	return w.reply.revision, nil
}
