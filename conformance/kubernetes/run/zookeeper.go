package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/zkine/zkine/revision/embedded"
)

const (
	// zookeeperVariable tells package testserver where ZooKeeper is, host:port.
	zookeeperVariable = "ZKINE_KUBE_STORAGE_ZOOKEEPER"
	// busyVariable tells it that zkines are to have a busy log.
	busyVariable = "ZKINE_KUBE_STORAGE_BUSY"
	// distributionVariable names the folder of ZooKeeper's jars, as in zkine's own tests.
	distributionVariable = "ZKINE_ZOOKEEPER_DIR"
	zookeeperStart       = time.Minute
	// zookeeperHeap holds what all tests write: their roots stay to the end.
	zookeeperHeap = 2 << 30
)

// zooKeeper is the server that the tests share, with its data in a temporary folder.
type zooKeeper struct {
	*embedded.Server
	dir string
}

// startZooKeeper starts the one in $ZKINE_ZOOKEEPER_DIR, or that which "make zookeeper" puts into the checkout,
// and warms it up.
func startZooKeeper(ctx context.Context, checkout string) (*zooKeeper, error) {
	home := os.Getenv(distributionVariable)
	if home == "" {
		home = filepath.Join(checkout, ".cache", "zookeeper")
	}
	found, err := embedded.Find(embedded.FindOptions{Dir: home})
	if err != nil {
		return nil, fmt.Errorf("%w; run make zookeeper", err)
	}
	dir, err := os.MkdirTemp("", "kube-storage-")
	if err != nil {
		return nil, err
	}
	log := logrus.New()
	log.SetLevel(logrus.WarnLevel)
	ctx, cancel := context.WithTimeout(ctx, zookeeperStart)
	defer cancel()
	server, err := embedded.Start(ctx, embedded.Config{
		Distribution: found, DataDir: dir, Heap: zookeeperHeap, Logger: log,
		// Upstream runs etcd without fsync too.
		Properties: map[string]string{"forceSync": "no"},
	})
	if err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	z := &zooKeeper{Server: server, dir: dir}
	if err := warm(ctx, z.Addr(), logrus.NewEntry(log)); err != nil {
		z.stop()
		return nil, err
	}
	return z, nil
}

func (z *zooKeeper) stop() {
	z.Kill()
	os.RemoveAll(z.dir)
}
