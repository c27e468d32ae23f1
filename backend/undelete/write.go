package undelete

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// write writes a key back, if it is still as it was when it was looked at.
func (r *running) write(ctx context.Context, p pair) error {
	lease, err := r.lease(ctx, p.then.Lease)
	if err != nil {
		return err
	}
	var options []clientv3.OpOption
	if lease != 0 {
		options = append(options, clientv3.WithLease(clientv3.LeaseID(lease)))
	}
	key, seen := string(p.then.Key), int64(0)
	if p.now != nil {
		seen = p.now.ModRevision
	}
	var resp *clientv3.TxnResponse
	err = again(ctx, func() (err error) {
		resp, err = r.Client.Txn(ctx).
			If(clientv3.Compare(clientv3.ModRevision(key), "=", seen)).
			Then(clientv3.OpPut(key, string(p.then.Value), options...)).
			Else(clientv3.OpGet(key)).Commit()
		return err
	})
	if err != nil {
		return fmt.Errorf("write a key of %d bytes back: %w", len(p.then.Value), err)
	}
	item := Item{Leaseless: p.then.Lease != 0 && lease == 0}
	if resp.Succeeded {
		item.Written = resp.Header.Revision
	} else if kvs := resp.Responses[0].GetResponseRange().GetKvs(); len(kvs) == 1 && bytes.Equal(kvs[0].Value, p.then.Value) {
		item.Written = kvs[0].ModRevision // an earlier try has taken effect
	} else {
		item.Raced, item.Leaseless = true, false
	}
	r.tell(p, item)
	return nil
}

// lease is the lease that a key is to be attached to, which may be made for it; 0 for
// none.
func (r *running) lease(ctx context.Context, id int64) (int64, error) {
	if id == 0 || !r.Leases {
		return 0, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if known, ok := r.leases[id]; ok {
		return known, nil
	}
	found, err := r.findLease(ctx, id)
	if err == nil {
		r.leases[id] = found
	}
	return found, err
}

func (r *running) findLease(ctx context.Context, id int64) (found int64, err error) {
	var left *clientv3.LeaseTimeToLiveResponse
	err = again(ctx, func() (err error) {
		left, err = r.Client.TimeToLive(ctx, clientv3.LeaseID(id))
		return err
	})
	if err != nil && !errors.Is(err, rpctypes.ErrLeaseNotFound) {
		return 0, fmt.Errorf("look at lease %x: %w", id, err)
	}
	if err == nil && left.TTL > 0 {
		return id, nil
	}
	ttl := int64(0)
	if r.TTL != nil {
		ttl = r.TTL(id)
	}
	if ttl == 0 {
		return 0, nil
	}
	err = again(ctx, func() error {
		_, err := pb.NewLeaseClient(r.Client.ActiveConnection()).LeaseGrant(ctx, &pb.LeaseGrantRequest{ID: id, TTL: ttl})
		return err
	})
	if err != nil && !errors.Is(rpctypes.Error(err), rpctypes.ErrLeaseExist) {
		return 0, fmt.Errorf("grant lease %x: %w", id, err)
	}
	return id, nil
}

const (
	// patience is for how long a store may be unavailable.
	patience = 30 * time.Second
	pause    = 200 * time.Millisecond
)

// again does something until it passes, or fails for another reason than that the store
// is unavailable: what is written is checked, so that it does not matter whether an
// earlier try took effect.
func again(ctx context.Context, do func() error) error {
	end := time.Now().Add(patience)
	for {
		err := do()
		if code := status.Code(errorOf(err)); err == nil || code != codes.Unavailable && code != codes.ResourceExhausted || time.Now().After(end) || errors.Is(err, rpctypes.ErrNoSpace) {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// errorOf is the error as gRPC has it: the client of etcd makes its own of some.
func errorOf(err error) error {
	var known rpctypes.EtcdError
	if errors.As(err, &known) {
		return status.Error(known.Code(), known.Error())
	}
	return err
}
