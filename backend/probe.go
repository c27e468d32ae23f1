package backend

import (
	"context"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// Probe is nil if a read is answered, linearizable unless serializable: what
// health checks ask. It is zkine's own read, so that users do not count; etcd's
// health checks read as root. Errors: those of Range but for who asks.
func (b *Backend) Probe(ctx context.Context, serializable bool) error {
	if !serializable {
		if err := b.reads.wait(ctx); err != nil {
			return err
		}
	}
	if err := b.failure(); err != nil {
		return err
	}
	_, err := b.view.Load().Range(&pb.RangeRequest{Key: []byte("health"), KeysOnly: true, Limit: 1})
	return err
}
