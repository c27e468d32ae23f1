package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"

	"github.com/zkine/zkine/conformance/rig"
	"github.com/zkine/zkine/revision/embedded"
)

const (
	gib       = 1 << 30
	smallHeap = 1 * gib
	largeHeap = 6 * gib
	// root is where a zkine keeps everything in its ZooKeeper.
	root = "/zkine"
)

// startZooKeepers starts that many, each with a heap of so many bytes, in a folder of that name. The caller ends them.
func (b *bench) startZooKeepers(ctx context.Context, name string, n int, heap int64) (*rig.ZooKeepers, error) {
	return rig.StartZooKeepers(ctx, n, embedded.Config{Distribution: b.distribution, DataDir: filepath.Join(b.dir, name), Heap: heap})
}

// store is a zkine and how to reach it.
type store struct {
	*rig.Zkine
	zookeeper   string
	bench       *bench
	conn        *grpc.ClientConn
	kv          pb.KVClient
	maintenance pb.MaintenanceClient
	compactNext int64 // the revision that step compacts at next
}

// newStore is a zkine on ZooKeepers; it does not run yet. Automatic housekeeping is as by default; the quota is off,
// since some parts hold more than its default.
func (b *bench) newStore(zookeeper string, args ...string) (*store, error) {
	z, err := rig.NewZkine(rig.ZkineConfig{
		Program: b.zkine, Name: "scale", ZooKeeper: zookeeper, DataDir: filepath.Join(b.dir, "remembered"),
		Args: append([]string{"--quota-backend-bytes=-1", "--listen-metrics-urls="}, args...),
	})
	if err != nil {
		return nil, err
	}
	return &store{Zkine: z, zookeeper: zookeeper, bench: b}, nil
}

// onOne makes a part of one that is measured on a ZooKeeper of its own, with that heap in bytes, and a zkine on it.
func onOne(heap int64, part func(context.Context, *embedded.Server, *store) error) func(context.Context, *bench) error {
	return func(ctx context.Context, b *bench) (err error) {
		z, err := b.startZooKeepers(ctx, "lone", 1, heap)
		if err != nil {
			return err
		}
		defer z.Kill()
		s, err := b.newStore(z.Addresses())
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.stop(ctx)) }()
		if _, err := s.start(ctx); err != nil {
			return err
		}
		return part(ctx, z.Servers[0], s)
	}
}

// start starts the process and returns how long it took until the first linearizable read was answered.
func (s *store) start(ctx context.Context) (time.Duration, error) {
	conn, err := rig.Dial(s.Endpoint, grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(256<<20), grpc.MaxCallSendMsgSize(16<<20)))
	if err != nil {
		return 0, err
	}
	s.conn, s.kv, s.maintenance = conn, pb.NewKVClient(conn), pb.NewMaintenanceClient(conn)
	began := time.Now()
	err = s.Up(ctx)
	return time.Since(began), err
}

const (
	startLimit = 3 * time.Minute
	stopLimit  = time.Minute
)

// stop ends zkine in peace.
func (s *store) stop(ctx context.Context) error {
	if s.conn == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
	defer cancel()
	_, err := s.Stop(ctx)
	s.conn.Close()
	s.conn = nil
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
