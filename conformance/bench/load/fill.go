package load

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/zkine/zkine/conformance/bench/load/wiregrpc"
)

// fill makes a data set that is not there yet. It has no operations.
type fill struct{ store }

func newFill(j Job) plan { return &fill{store{job: j}} }

// perTxn is how many keys go into one transaction, of 128 that etcd allows. kine understands only one.
const perTxn = 100

func (f *fill) prepare(ctx context.Context) error {
	if err := f.connect(ctx); err != nil {
		return err
	}
	n, err := f.count(ctx)
	if err != nil || n == f.job.Keys {
		return err
	}
	if n != 0 {
		return fmt.Errorf("%q has %d keys, and neither none nor %d", f.job.Prefix, n, f.job.Keys)
	}
	if f.job.Dialect != Kine {
		return f.pass(ctx, perTxn)
	}
	// kine, when it is very busy, confirms a create now and then that it has not stored.
	for range kinePasses {
		if err := f.pass(ctx, 1); err != nil {
			return err
		}
		if n, err = f.count(ctx); err != nil || n == f.job.Keys {
			return err
		}
	}
	return nil
}

// kinePasses bounds how often keys that kine has lost are created again.
const kinePasses = 5

// pass creates every key that is not there, so many in one transaction.
func (f *fill) pass(ctx context.Context, step int) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var from atomic.Int64
	var all sync.WaitGroup
	for _, c := range f.clients {
		all.Go(func() {
			for ctx.Err() == nil {
				i := int(from.Add(int64(step))) - step
				if i >= f.job.Keys {
					return
				}
				if err := f.make(ctx, c, i, min(i+step, f.job.Keys)); err != nil {
					cancel(err)
				}
			}
		})
	}
	all.Wait()
	return context.Cause(ctx)
}

// make creates keys i to j.
func (f *fill) make(ctx context.Context, c *client, i, j int) error {
	first := []byte(keyName(f.job.Prefix, i))
	request := &pb.TxnRequest{Compare: []*pb.Compare{compareMod(first, 0)}}
	for ; i < j; i++ {
		value := append([]byte(nil), c.values.next()...)
		request.Success = append(request.Success, putOp([]byte(keyName(f.job.Prefix, i)), value))
	}
	for {
		_, err := c.txn(ctx, "create", first, request)
		// Nothing is measured here, and a busy machine makes an etcd time out. Whether it was done all the same is
		// seen when the keys are counted.
		if status.Code(errors.Unwrap(err)) == codes.Unavailable && !errors.Is(err, wiregrpc.ErrBroken) {
			continue
		}
		if errors.Is(err, errCompare) {
			err = nil
		}
		return err
	}
}

func (f *fill) count(ctx context.Context) (int, error) {
	request := prefixRequest(f.job.Prefix)
	request.CountOnly = true
	var reply rangeReply
	err := call(ctx, f.conns.of(0), rangeMethod, mustMarshal(request), &reply)
	return int(reply.count), err
}

func (f *fill) op(context.Context, int, *tally) error { return nil }

func (f *fill) check(ctx context.Context, _ *Result) error {
	n, err := f.count(ctx)
	if err == nil && n != f.job.Keys {
		err = fmt.Errorf("%q has %d keys in place of %d", f.job.Prefix, n, f.job.Keys)
	}
	return err
}
