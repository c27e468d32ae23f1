package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"github.com/sirupsen/logrus"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/zkine/zkine/conformance/api/process"
	"github.com/zkine/zkine/revision/embedded"
)

const (
	gib       = 1 << 30
	smallHeap = 1 * gib
	largeHeap = 6 * gib
	// root is where a zkine keeps everything in its ZooKeeper.
	root = "/zkine"
)

// startZooKeeper starts a lone ZooKeeper with a heap of that many bytes. The caller stops it.
func (b *bench) startZooKeeper(ctx context.Context, name string, heap int64) (*embedded.Server, error) {
	return embedded.Start(ctx, b.zooKeeperConfig(name, heap))
}

func (b *bench) zooKeeperConfig(name string, heap int64) embedded.Config {
	quiet := logrus.New()
	quiet.SetOutput(io.Discard)
	return embedded.Config{Distribution: b.distribution, DataDir: filepath.Join(b.dir, name), Heap: heap, Logger: quiet}
}

// store is a zkine and how to reach it.
type store struct {
	endpoint, zookeeper string
	args                []string
	bench               *bench
	process             *process.Process
	conn                *grpc.ClientConn
	kv                  pb.KVClient
	maintenance         pb.MaintenanceClient
	compactNext         int64 // the revision that step compacts at next
}

// newStore is a zkine on ZooKeepers; it does not run yet. Automatic housekeeping is as by default; the quota is off,
// since some parts hold more than its default.
func (b *bench) newStore(zookeeper string, args ...string) (*store, error) {
	port, err := embedded.FreePort()
	if err != nil {
		return nil, err
	}
	s := &store{endpoint: fmt.Sprintf("127.0.0.1:%d", port), zookeeper: zookeeper, bench: b}
	s.args = append([]string{"server", "--zookeeper=" + zookeeper, "--name=scale", "--data-dir=" + filepath.Join(b.dir, "remembered"), "--quota-backend-bytes=-1", "--listen-metrics-urls=",
		"--listen-client-urls=http://" + s.endpoint}, args...)
	return s, nil
}

// onOne makes a part of one that is measured on a ZooKeeper of its own, with that heap in bytes, and a zkine on it.
func onOne(heap int64, part func(context.Context, *embedded.Server, *store) error) func(context.Context, *bench) error {
	return func(ctx context.Context, b *bench) (err error) {
		z, err := b.startZooKeeper(ctx, "zookeeper", heap)
		if err != nil {
			return err
		}
		defer z.Kill()
		s, err := b.newStore(z.Addr())
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.stop(ctx)) }()
		if _, err := s.start(ctx); err != nil {
			return err
		}
		return part(ctx, z, s)
	}
}

// start starts the process and returns how long it took until the first linearizable read was answered.
func (s *store) start(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	conn, err := grpc.NewClient(s.endpoint, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(256<<20), grpc.MaxCallSendMsgSize(16<<20)),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff: backoff.Config{BaseDelay: retry, Multiplier: 1, MaxDelay: retry}, MinConnectTimeout: time.Second}))
	if err != nil {
		return 0, err
	}
	s.conn, s.kv, s.maintenance = conn, pb.NewKVClient(conn), pb.NewMaintenanceClient(conn)
	began := time.Now()
	if s.process, err = process.Start(s.bench.zkine, s.args); err != nil {
		return 0, err
	}
	for {
		_, err := s.kv.Range(ctx, &pb.RangeRequest{Key: []byte("ready")}, grpc.WaitForReady(true))
		switch {
		case err == nil:
			return time.Since(began), nil
		case ctx.Err() != nil:
			return 0, fmt.Errorf("zkine does not serve: %w\n%s", err, s.process.Output())
		}
		select { // asked too early
		case <-s.process.Exited():
			return 0, fmt.Errorf("zkine ended:\n%s", s.process.Output())
		case <-time.After(retry):
		}
	}
}

const (
	startLimit = 3 * time.Minute
	stopLimit  = time.Minute
	// retry is how often a store that starts is tried; it bounds the error of start times.
	retry = 2 * time.Millisecond
)

// stop ends zkine in peace.
func (s *store) stop(ctx context.Context) error {
	if s.process == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
	defer cancel()
	_, err := s.process.Stop(ctx)
	s.conn.Close()
	s.process = nil
	return err
}

// tidy compacts at the current revision, and has ZooKeeper hold no more than what lives, packed and checkpointed.
func (s *store) tidy(ctx context.Context) error {
	r, err := s.kv.Range(ctx, &pb.RangeRequest{Key: []byte("ready")})
	if err != nil {
		return err
	}
	if _, err := s.kv.Compact(ctx, &pb.CompactionRequest{Revision: r.Header.Revision}); err != nil {
		return fmt.Errorf("compact: %w", err)
	}
	if _, err := s.maintenance.Defragment(ctx, &pb.DefragmentRequest{}); err != nil {
		return fmt.Errorf("defragment: %w", err)
	}
	return nil
}

var residentSize = regexp.MustCompile(`(?m)^Vm(RSS|HWM):\s+(\d+) kB`)

// resident is the memory that a process has now, and has had at most, in bytes.
func resident(p *process.Process) (now, peak int64, err error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Pid()))
	if err != nil {
		return 0, 0, err
	}
	for _, m := range residentSize.FindAllSubmatch(data, -1) {
		k, err := strconv.ParseInt(string(m[2]), 10, 64)
		if err != nil {
			return 0, 0, err
		}
		if string(m[1]) == "RSS" {
			now = k << 10
		} else {
			peak = k << 10
		}
	}
	return now, peak, nil
}
