package main

import (
	"context"
	"errors"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/zkine/zkine/conformance/bench/contender"
)

// tidyLimit bounds how long a compaction may take.
const tidyLimit = 3 * time.Minute

// tidy removes what was created and compacts, so that every point begins with the data sets and no history. kine keeps
// its history: it deletes nothing but single keys, and compacts on its own.
func tidy(ctx context.Context, c *contender.Contender) error {
	if c.Kind == contender.Kine || c.Kind == contender.Bare {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, tidyLimit)
	defer cancel()
	endpoint, err := c.Endpoint(ctx)
	if err != nil {
		return err
	}
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{endpoint}, Logger: zap.NewNop()})
	if err != nil {
		return err
	}
	defer client.Close()
	deleted, err := client.Delete(ctx, created.prefix, clientv3.WithPrefix())
	if err != nil {
		return err
	}
	_, err = client.Compact(ctx, deleted.Header.Revision, clientv3.WithCompactPhysical())
	if errors.Is(err, rpctypes.ErrCompacted) {
		return nil // nothing was written since the last time
	}
	return err
}
