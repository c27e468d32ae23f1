package main

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"syscall"
	"time"
)

// storeStartLimit is how long a store may take until it is ready: zkine starts a JVM and replays its log first.
const storeStartLimit = 60 * time.Second

// progressInterval is how often an idle watch is told how far it has got. The API server compares a cache with the
// store at the version that the cache has reached; with the default of 10 minutes, the frequent compaction of this
// run would have overtaken those of resources that nobody writes.
const progressInterval = 5 * time.Second

// store is what kube-apiserver keeps its state in: zkine, or etcd for comparison.
type store struct {
	*process
	endpoint string // for --etcd-servers
	ready    string // URL that answers 200 once the store serves
	// Of the ZooKeeper below it, empty where there is none: a text in its command line, and its log.
	embeds       string
	zooKeeperLog string
}

// newZkine describes a zkine with the ZooKeeper that it starts and supervises itself.
func newZkine(dir, path string, p *ports) (*store, error) {
	client, err := p.next()
	if err != nil {
		return nil, err
	}
	metrics, err := p.next()
	if err != nil {
		return nil, err
	}
	endpoint, admin := loopback(client), loopback(metrics)
	return &store{
		process: newProcess(dir, "zkine", path, "server",
			"--name", "smoke",
			"--data-dir", filepath.Join(dir, "zkine"),
			"--watch-progress-notify-interval", progressInterval.String(),
			"--listen-client-urls", endpoint,
			"--listen-metrics-urls", admin),
		endpoint: endpoint,
		ready:    admin + "/readyz",
		embeds:   "org.apache.zookeeper",

		zooKeeperLog: filepath.Join(dir, "zkine", "zookeeper.log"),
	}, nil
}

// newEtcd describes an etcd cluster of one member.
func newEtcd(dir, path string, p *ports) (*store, error) {
	client, err := p.next()
	if err != nil {
		return nil, err
	}
	peer, err := p.next()
	if err != nil {
		return nil, err
	}
	endpoint, peers := loopback(client), loopback(peer)
	return &store{
		process: newProcess(dir, "etcd", path,
			"--name", "smoke",
			"--data-dir", filepath.Join(dir, "etcd"),
			"--watch-progress-notify-interval", progressInterval.String(),
			"--listen-client-urls", endpoint,
			"--advertise-client-urls", endpoint,
			"--listen-peer-urls", peers,
			"--initial-advertise-peer-urls", peers,
			"--initial-cluster", "smoke="+peers),
		endpoint: endpoint,
		ready:    endpoint + "/readyz",
	}, nil
}

func loopback(port int) string { return fmt.Sprintf("http://127.0.0.1:%d", port) }

// up starts the store and waits until it says that it is ready.
func (s *store) up(ctx context.Context) error {
	if err := s.start(); err != nil {
		return err
	}
	return until(ctx, storeStartLimit, s.name+" becomes ready", func(ctx context.Context) error {
		if err := s.ended(); err != nil {
			return err
		}
		return httpOK(ctx, http.DefaultClient, s.ready)
	})
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
