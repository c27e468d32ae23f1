package main

import (
	"context"
	"fmt"
	"time"

	"github.com/sirupsen/logrus"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/backend"
	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zklog"
)

const (
	warmRoot   = "/warm"
	warmWrites = 3000
	warmLimit  = 30 * time.Second
	// warmSession is the default of zkine's flag.
	warmSession = 10 * time.Second
)

// warm has a ZooKeeper that has just started do what the tests will ask of it, until its JVM has compiled that: some
// tests give a write 100 ms, which the first ones take on a busy machine. It ends early on a slow one.
func warm(ctx context.Context, address string, log *logrus.Entry) error {
	ctx, cancel := context.WithTimeout(ctx, zookeeperStart)
	defer cancel()
	zk := &zkclient.Ensemble{
		Servers: []string{address}, Timeout: warmSession, MaxRequest: zklog.DefaultMaxRequest, Log: log,
	}
	l, err := zklog.Open(ctx, zklog.Config{Dialer: zk, Root: warmRoot, Name: "warm", Log: log})
	if err != nil {
		return fmt.Errorf("warm up ZooKeeper: %w", err)
	}
	b, err := backend.Open(ctx, l, backend.Config{Member: revision.Member{Name: "warm", ID: 1}, Log: log})
	if err != nil {
		return fmt.Errorf("warm up ZooKeeper: %w", err)
	}
	defer b.Close()
	began := time.Now()
	for i := 0; i < warmWrites && time.Since(began) < warmLimit; i++ {
		if _, err := b.Put(ctx, &pb.PutRequest{Key: []byte("warm")}); err != nil {
			return fmt.Errorf("warm up ZooKeeper: %w", err)
		}
	}
	fmt.Printf("ZooKeeper at %s is warm after %v\n", address, time.Since(began).Round(time.Millisecond))
	return nil
}
