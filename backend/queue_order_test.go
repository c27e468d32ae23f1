package backend

import (
	"context"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/backend/pace"
	"github.com/zkine/zkine/revision/recordpb"
)

// TestQueueKeepsTheOrder puts, drops and takes at random, and compares with a
// slice: what is taken is what was put and not dropped, in order, and what the
// queue says it holds is what it holds.
func TestQueueKeepsTheOrder(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	q := newQueue(maxQueued)
	var model []*proposal
	for range 5000 {
		switch random.IntN(8) {
		case 0, 1, 2, 3:
			p := &proposal{ctx: context.Background(), size: 1 + random.IntN(maxBatchBytes/3), memory: random.IntN(1 << 20), done: make(chan outcome, 1)}
			sum := p.memory
			for _, m := range model {
				sum += m.memory
			}
			err := q.put(p)
			if sum > maxQueuedBytes {
				require.ErrorIs(t, err, ErrTooManyRequests)
				continue
			}
			require.NoError(t, err)
			model = append(model, p)
		case 4, 5, 6:
			if len(model) == 0 {
				continue
			}
			i := random.IntN(len(model))
			q.drop(model[i])
			require.Len(t, model[i].done, 1)
			q.drop(model[i]) // and again, which must do nothing
			model = append(model[:i:i], model[i+1:]...)
		case 7:
			batch := q.take()
			require.Equal(t, len(model) > 0, len(batch) > 0)
			require.Equal(t, append([]*proposal(nil), model[:len(batch)]...), batch)
			if len(batch) > 0 {
				q.release(len(batch))
			}
			model = model[len(batch):]
		}
		count, bytes := q.load()
		held := 0
		for _, m := range model {
			held += m.memory
		}
		require.Equal(t, len(model), count)
		require.Equal(t, held, bytes)
	}
}

// TestQueueBounds: what waits is bounded in number and in bytes, and there is
// room again once somebody has gone.
func TestQueueBounds(t *testing.T) {
	for name, test := range map[string]struct{ held, fit int }{
		"number": {1, maxQueued},
		"bytes":  {1 << 20, maxQueuedBytes >> 20},
	} {
		t.Run(name, func(t *testing.T) {
			q := newQueue(maxQueued)
			one := func() *proposal {
				return &proposal{ctx: context.Background(), memory: test.held, done: make(chan outcome, 1)}
			}
			first := one()
			require.NoError(t, q.put(first))
			for range test.fit - 1 {
				require.NoError(t, q.put(one()))
			}
			require.ErrorIs(t, q.put(one()), ErrTooManyRequests)
			q.drop(first)
			require.NoError(t, q.put(one()))
			require.ErrorIs(t, q.put(one()), ErrTooManyRequests)
		})
	}
}

// TestHeldBytesCountOperations: a transaction of many small operations takes
// many times its bytes.
func TestHeldBytesCountOperations(t *testing.T) {
	del := &pb.RequestOp{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: &pb.DeleteRangeRequest{Key: []byte("k")}}}
	inner := &pb.TxnRequest{Compare: []*pb.Compare{{}}, Success: []*pb.RequestOp{del, del}, Failure: []*pb.RequestOp{del}}
	outer := &pb.TxnRequest{Success: []*pb.RequestOp{{Request: &pb.RequestOp_RequestTxn{RequestTxn: inner}}, del}}
	require.Equal(t, memoryBase+100+6*memoryEach,
		memoryBytes(&recordpb.Request{Kind: &recordpb.Request_Txn{Txn: outer}}, 100))
	require.Equal(t, memoryBase+100, memoryBytes(&recordpb.Request{Kind: &recordpb.Request_Put{Put: &pb.PutRequest{}}}, 100))
}

// TestAPutAfterItsEndIsRefused: a proposal whose client has gone before it came
// to the queue never gets in.
func TestAPutAfterItsEndIsRefused(t *testing.T) {
	q := newQueue(maxQueued)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.ErrorIs(t, q.put(&proposal{ctx: ctx, done: make(chan outcome, 1)}), context.Canceled)
	require.Nil(t, q.first)
}

// TestDrainedIsSaidOnce: after much has waited, when little does.
func TestDrainedIsSaidOnce(t *testing.T) {
	q := newQueue(maxQueued)
	one := &proposal{ctx: context.Background(), memory: muchQueued, done: make(chan outcome, 1)}
	require.False(t, q.drained())
	require.NoError(t, q.put(one))
	require.False(t, q.drained())
	q.drop(one)
	require.True(t, q.drained())
	require.False(t, q.drained())
}

// TestBatchesKeepTheirDistance: a second one goes once the first has been under way for
// as long as an append takes nearby, or when that is over.
func TestBatchesKeepTheirDistance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(2)
		put := func() {
			require.NoError(t, q.put(&proposal{ctx: t.Context(), done: make(chan outcome, 1)}))
		}
		wokenAfter := func() time.Duration {
			began := time.Now()
			<-q.wake
			return time.Since(began)
		}
		put()
		require.Zero(t, wokenAfter())
		put()
		require.Len(t, q.take(), 2)
		time.Sleep(time.Millisecond)
		put()
		require.Zero(t, wokenAfter(), "three are few")
		put()
		require.Empty(t, q.take(), "four are not, and it is too early")
		require.Equal(t, pace.Spacing-time.Millisecond, wokenAfter())
		require.Len(t, q.take(), 2)

		put()
		time.AfterFunc(pace.Spacing/4, func() { q.release(2) })
		time.AfterFunc(pace.Spacing/2, func() { q.release(2) })
		put()
		require.Equal(t, pace.Spacing/2, wokenAfter(), "there are two batches, then one that is young")
		require.Len(t, q.take(), 2)
		time.Sleep(pace.Spacing)
		require.Empty(t, q.wake, "there is nothing to take")
		put()
		require.Zero(t, wokenAfter(), "it has been under way for long")
	})
}

// TestARequestThatComesAloneIsTakenAtOnce: it counts as under way until it is
// released, and what has to wait for that is taken then, in its order.
func TestARequestThatComesAloneIsTakenAtOnce(t *testing.T) {
	q := newQueue(1)
	made := func() *proposal { return &proposal{ctx: context.Background(), memory: 1, done: make(chan outcome, 1)} }
	woken := func() bool {
		select {
		case <-q.wake:
			return true
		default:
			return false
		}
	}
	first, second, third := made(), made(), made()
	taken, err := q.putOrTake(first)
	require.NoError(t, err)
	require.True(t, taken)
	taken, err = q.putOrTake(second)
	require.NoError(t, err)
	require.False(t, taken, "one is under way")
	require.False(t, woken(), "no loop could take it")
	require.Empty(t, q.take())
	q.release(1)
	require.True(t, woken())
	require.Equal(t, []*proposal{second}, q.take())
	q.release(1)

	taken, err = q.putOrTake(first)
	require.NoError(t, err)
	require.True(t, taken)
	require.NoError(t, q.put(third))
	q.putBack(first)
	require.True(t, woken())
	require.Equal(t, []*proposal{first, third}, q.take(), "it is the first again")
	count, bytes := q.load()
	require.Zero(t, count)
	require.Zero(t, bytes)

	q.release(1)
	taken, err = q.putOrTake(first)
	require.NoError(t, err)
	require.False(t, taken, "requests come together")
	require.Equal(t, []*proposal{first}, q.take())
	q.release(1)
	taken, err = q.putOrTake(first)
	require.NoError(t, err)
	require.True(t, taken)
	q.close(ErrClosed)
	q.putBack(first)
	require.ErrorIs(t, (<-first.done).err, ErrClosed)
	_, err = q.putOrTake(second)
	require.ErrorIs(t, err, ErrClosed)
}
