package main

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"syscall"
	"time"

	"github.com/zkine/zkine/conformance/rig"
)

// storeStartLimit is how long a store may take until it is ready: zkine starts a JVM and replays its log first.
const storeStartLimit = 60 * time.Second

// progressInterval is how often an idle watch is told how far it has got. The API server compares a cache with the
// store at the version that the cache has reached; with the default of 10 minutes, the frequent compaction of this
// run would have overtaken those of resources that nobody writes.
const progressInterval = 5 * time.Second

// store is what kube-apiserver keeps its state in: zkine, or etcd for comparison.
type store struct {
	*rig.Process
	endpoint string // for --etcd-servers
	// serve starts it and returns when it answers a linearizable read.
	serve func(context.Context) error
	// Of the ZooKeeper below it, empty where there is none: a text in its command line, and its log.
	embeds       string
	zooKeeperLog string
}

// newZkine describes a zkine with the ZooKeeper that it starts and supervises itself.
func newZkine(dir, path string) (*store, error) {
	z, err := rig.NewZkine(rig.ZkineConfig{
		Program: path, Name: "smoke", DataDir: filepath.Join(dir, "zkine"), Log: logPath(dir, "zkine"),
		Args: []string{"--watch-progress-notify-interval", progressInterval.String()},
	})
	if err != nil {
		return nil, err
	}
	z.Name = "zkine"
	return &store{
		Process: z.Process, endpoint: "http://" + z.Endpoint, serve: z.Up,
		embeds: "org.apache.zookeeper", zooKeeperLog: filepath.Join(dir, "zkine", "zookeeper.log"),
	}, nil
}

// newEtcd describes an etcd cluster of one member.
func newEtcd(dir, path string) (*store, error) {
	e, err := rig.NewEtcd(rig.EtcdConfig{
		Program: path, Name: "smoke", DataDir: filepath.Join(dir, "etcd"), Log: logPath(dir, "etcd"),
		Args: []string{"--watch-progress-notify-interval", progressInterval.String()},
	})
	if err != nil {
		return nil, err
	}
	e.Name = "etcd"
	return &store{Process: e.Process, endpoint: "http://" + e.Endpoint, serve: e.Up}, nil
}

// up starts the store and waits until it serves.
func (s *store) up(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, storeStartLimit, fmt.Errorf("not within %v", storeStartLimit))
	defer cancel()
	return s.serve(ctx)
}

// killZooKeeper ends the ZooKeeper below the store as a power cut would. Bringing it back is the store's duty.
func (s *store) killZooKeeper() error {
	pid, err := descendantWith(s.embeds)
	if err != nil {
		return err
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		return fmt.Errorf("kill ZooKeeper, process %d: %w", pid, err)
	}
	return nil
}

// httpOK returns nil if a URL answers 200.
func httpOK(ctx context.Context, client *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, resp.Status)
	}
	return nil
}
