package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"golang.org/x/sync/errgroup"
)

const (
	// loaders is how many transactions are under way in a load.
	loaders = 16
	// txnOps and txnBytes bound the puts of a transaction in a load.
	txnOps   = 100
	txnBytes = 512 << 10
)

// load puts count objects into a store, many in a transaction. make is called with a maker of its goroutine's own. It
// returns the bytes of all keys and values.
func (s *store) load(ctx context.Context, count int, make func(k *maker, i int) object) (raw int64, err error) {
	group, ctx := errgroup.WithContext(ctx)
	var next, sum atomic.Int64
	for worker := range loaders {
		group.Go(func() error {
			k := newMaker(uint64(worker) + 1<<32)
			for {
				from := int(next.Add(txnOps)) - txnOps
				if from >= count {
					return nil
				}
				var objects []object
				for i := from; i < min(from+txnOps, count); i++ {
					objects = append(objects, make(k, i))
				}
				n, err := s.putAll(ctx, objects)
				sum.Add(n)
				if err != nil {
					return err
				}
			}
		})
	}
	err = group.Wait()
	return sum.Load(), err
}

// putAll puts objects, in as few transactions as their size allows.
func (s *store) putAll(ctx context.Context, objects []object) (raw int64, err error) {
	var txn pb.TxnRequest
	bytes := 0
	send := func() error {
		_, err := s.kv.Txn(ctx, &txn)
		txn.Success, bytes = nil, 0
		return err
	}
	for _, o := range objects {
		txn.Success = append(txn.Success, &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: o.key, Value: o.value}}})
		bytes += len(o.key) + len(o.value)
		raw += int64(len(o.key) + len(o.value))
		if bytes >= txnBytes {
			if err := send(); err != nil {
				return raw, err
			}
		}
	}
	if len(txn.Success) == 0 {
		return raw, nil
	}
	return raw, send()
}

// turn is a round of puts.
type turn struct {
	puts     int
	elapsed  time.Duration
	p50, p99 time.Duration
}

func (t turn) perSecond() float64 { return float64(t.puts) / t.elapsed.Seconds() }

// puts has clients write to keys that exist, each one after the other, for some time.
func (s *store) puts(ctx context.Context, clients int, d time.Duration, keys [][]byte) (turn, error) {
	group, ctx := errgroup.WithContext(ctx)
	var mu sync.Mutex
	var all []time.Duration
	began := time.Now()
	for client := range clients {
		group.Go(func() error {
			k := newMaker(uint64(client) + uint64(began.UnixNano()))
			var times []time.Duration
			for time.Since(began) < d {
				key := keys[k.r.IntN(len(keys))]
				value := k.event(k.r.IntN(1 << 20)).value
				sent := time.Now()
				if _, err := s.kv.Put(ctx, &pb.PutRequest{Key: key, Value: value}); err != nil {
					return err
				}
				times = append(times, time.Since(sent))
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, times...)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return turn{}, err
	}
	t := turn{puts: len(all), elapsed: time.Since(began)}
	if len(all) > 0 {
		t.p50, t.p99 = percentile(all, 50), percentile(all, 99)
	}
	return t, nil
}

// percentile sorts the times.
func percentile(times []time.Duration, p int) time.Duration {
	slices.Sort(times)
	return times[min(len(times)*p/100, len(times)-1)]
}

// median is that of what pick finds in each turn.
func median[T any](turns []T, pick func(T) float64) float64 {
	var values []float64
	for _, t := range turns {
		values = append(values, pick(t))
	}
	slices.Sort(values)
	return values[len(values)/2]
}

func p99ms(t turn) float64 { return float64(t.p99) / float64(time.Millisecond) }

// someKeys reads about n of a store's keys, spread over all of them.
func (s *store) someKeys(ctx context.Context, prefix string, n int) ([][]byte, error) {
	var keys [][]byte
	from, end := []byte(prefix), prefixEnd(prefix)
	for {
		r, err := s.kv.Range(ctx, &pb.RangeRequest{Key: from, RangeEnd: end, KeysOnly: true, Limit: 10_000, Serializable: true})
		if err != nil {
			return nil, err
		}
		for _, kv := range r.Kvs {
			keys = append(keys, kv.Key)
		}
		if !r.More {
			break
		}
		from = append(slices.Clone(keys[len(keys)-1]), 0)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("no keys below %s", prefix)
	}
	rand.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	return keys[:min(n, len(keys))], nil
}

func prefixEnd(prefix string) []byte {
	end := []byte(prefix)
	end[len(end)-1]++
	return end
}
