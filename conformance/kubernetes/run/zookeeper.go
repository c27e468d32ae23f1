package main

import (
	"context"
	"os"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/zkine/zkine/conformance/rig"
	"github.com/zkine/zkine/revision/embedded"
)

const (
	// zookeeperVariable tells package testserver where ZooKeeper is, host:port.
	zookeeperVariable = "ZKINE_KUBE_STORAGE_ZOOKEEPER"
	// busyVariable tells it that zkines are to have a busy log.
	busyVariable   = "ZKINE_KUBE_STORAGE_BUSY"
	zookeeperStart = time.Minute
	// zookeeperHeap holds what all tests write: their roots stay to the end.
	zookeeperHeap = 2 << 30
)

// zooKeeper is the server that the tests share, with its data in a temporary folder.
type zooKeeper struct {
	*rig.ZooKeepers
	dir string
}

// startZooKeeper starts it and warms it up.
func startZooKeeper(ctx context.Context) (*zooKeeper, error) {
	dir, err := os.MkdirTemp("", "kube-storage-")
	if err != nil {
		return nil, err
	}
	log := logrus.New()
	log.SetLevel(logrus.WarnLevel)
	ctx, cancel := context.WithTimeout(ctx, zookeeperStart)
	defer cancel()
	servers, err := rig.StartZooKeepers(ctx, 1, embedded.Config{
		DataDir: dir, Heap: zookeeperHeap, Logger: log,
		// Upstream runs etcd without fsync too.
		Properties: map[string]string{"forceSync": "no"},
	})
	if err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	z := &zooKeeper{ZooKeepers: servers, dir: dir}
	if err := warm(ctx, z.Addresses(), logrus.NewEntry(log)); err != nil {
		z.stop()
		return nil, err
	}
	return z, nil
}

func (z *zooKeeper) stop() {
	z.Kill()
	os.RemoveAll(z.dir)
}
