package load

import (
	"context"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

const (
	// leaseClients is how many clients grant, or keep alive.
	leaseClients = 20
	// leaseSeconds is how long a lease lasts: those of a flood are gone soon after it.
	leaseSeconds = 5
	// grantMost is how many leases each of them gets.
	grantMost = 2000
)

// leaseGrants grants leases and lets them expire.
func leaseGrants(ctx context.Context, j Job, t *Tally) error {
	return workers(ctx, leaseClients, func(ctx context.Context, _ int) error {
		conn, err := dialGRPC(j)
		if err != nil {
			return err
		}
		defer conn.Close()
		for range grantMost {
			if ctx.Err() != nil {
				return nil
			}
			_, err := pb.NewLeaseClient(conn).LeaseGrant(ctx, &pb.LeaseGrantRequest{TTL: leaseSeconds})
			answered(ctx, t, err)
		}
		<-ctx.Done()
		return nil
	})
}

// keepalives renews a lease on each stream as often as it is answered.
func keepalives(ctx context.Context, j Job, t *Tally) error {
	return keepAlive(ctx, j, t, true)
}

// keepalivesUnread renews, and reads no answer.
func keepalivesUnread(ctx context.Context, j Job, t *Tally) error {
	return keepAlive(ctx, j, t, false)
}

func keepAlive(ctx context.Context, j Job, t *Tally, read bool) error {
	return workers(ctx, leaseClients, func(ctx context.Context, _ int) error {
		conn, err := dialGRPC(j)
		if err != nil {
			return err
		}
		defer conn.Close()
		leases := pb.NewLeaseClient(conn)
		lease, err := leases.LeaseGrant(ctx, &pb.LeaseGrantRequest{TTL: 2 * leaseSeconds})
		if err != nil {
			return err
		}
		for sent := 0; sent < unreadMost && ctx.Err() == nil; {
			stream, err := leases.LeaseKeepAlive(ctx)
			if err == nil {
				t.add("streams", 1)
			}
			for err == nil && sent < unreadMost {
				if err = stream.Send(&pb.LeaseKeepAliveRequest{ID: lease.ID}); err != nil {
					break
				}
				t.add("requests", 1)
				sent++
				if read {
					_, err = stream.Recv()
				}
			}
			if !pause(ctx, 100*time.Millisecond) { // the server has ended the stream
				return nil
			}
		}
		<-ctx.Done()
		return nil
	})
}
