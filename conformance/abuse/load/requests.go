package load

import (
	"context"
	"fmt"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

const (
	// putsAtOnce is how many puts one connection has under way.
	putsAtOnce = 1000
	// putSize is of a value, in bytes.
	putSize = 256
	// overSize is a value above the largest request, overOps operations above those of a transaction.
	overSize = 2 << 20
	overOps  = 1000
)

// concurrentPuts has a thousand puts under way on one connection, again and again.
func concurrentPuts(ctx context.Context, j Job, t *Tally) error {
	conn, err := dialGRPC(j)
	if err != nil {
		return err
	}
	defer conn.Close()
	value := make([]byte, putSize)
	return workers(ctx, putsAtOnce, func(ctx context.Context, i int) error {
		key := fmt.Appendf(nil, "many/%d", i)
		for ctx.Err() == nil {
			_, err := pb.NewKVClient(conn).Put(ctx, &pb.PutRequest{Key: key, Value: value})
			answered(ctx, t, err)
		}
		return nil
	})
}

// overLimit sends requests that are too large, and transactions of too many operations.
func overLimit(ctx context.Context, j Job, t *Tally) error {
	many := &pb.TxnRequest{}
	for i := range overOps {
		many.Success = append(many.Success, &pb.RequestOp{Request: &pb.RequestOp_RequestPut{
			RequestPut: &pb.PutRequest{Key: fmt.Appendf(nil, "over/%d", i)},
		}})
	}
	large := &pb.PutRequest{Key: []byte("over"), Value: make([]byte, overSize)}
	return workers(ctx, slowReaders, func(ctx context.Context, i int) error {
		conn, err := dialGRPC(j)
		if err != nil {
			return err
		}
		defer conn.Close()
		kv := pb.NewKVClient(conn)
		for turn := i; pause(ctx, 10*time.Millisecond); turn++ {
			if turn%2 == 0 {
				_, err = kv.Put(ctx, large)
			} else {
				_, err = kv.Txn(ctx, many)
			}
			answered(ctx, t, err)
		}
		return nil
	})
}
