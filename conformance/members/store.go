package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/zkine/zkine/conformance/api/process"
	"github.com/zkine/zkine/revision/embedded"
)

// programs are what is measured.
type programs struct{ zkine, zookeeper string }

func findPrograms(ctx context.Context) (programs, error) {
	root, err := process.Checkout()
	if err != nil {
		return programs{}, err
	}
	p := programs{zookeeper: filepath.Join(root, ".cache", "zookeeper")}
	if dir := os.Getenv("ZKINE_ZOOKEEPER_DIR"); dir != "" {
		p.zookeeper = dir
	}
	p.zkine, err = process.Zkine(ctx, false)
	return p, err
}

// store is a server that runs, and what it takes to start it.
type store struct {
	name     string
	program  string
	args     []string
	endpoint string // host:port

	process *process.Process
}

// zkineStore is a zkine on ZooKeepers.
func (p programs) zkineStore(name, zookeeper string) (*store, error) {
	ports, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	s := &store{name: name, program: p.zkine, endpoint: ports[0]}
	s.args = []string{
		"server", "--name=" + name, "--zookeeper=" + zookeeper,
		"--listen-client-urls=http://" + ports[0], "--listen-metrics-urls=http://" + ports[1],
	}
	return s, nil
}

func freePorts(n int) (addresses []string, err error) {
	for range n {
		port, err := embedded.FreePort()
		if err != nil {
			return nil, err
		}
		addresses = append(addresses, fmt.Sprintf("127.0.0.1:%d", port))
	}
	return addresses, nil
}

// startLimit bounds how long a store may take to serve.
const startLimit = 2 * time.Minute

// start starts the process and returns how long it took until the first linearizable read was answered.
func (s *store) start(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	conn, err := connect(s.endpoint)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	began := time.Now()
	if s.process, err = process.Start(s.program, s.args); err != nil {
		return 0, err
	}
	for {
		_, err := pb.NewKVClient(conn).Range(ctx, &pb.RangeRequest{Key: []byte("ready")}, grpc.WaitForReady(true))
		switch {
		case err == nil:
			return time.Since(began), nil
		case ctx.Err() != nil:
			return 0, fmt.Errorf("%s does not serve: %w\n%s", s.name, err, s.process.Output())
		}
		select { // asked too early
		case <-s.process.Exited():
			return 0, fmt.Errorf("%s ended:\n%s", s.name, s.process.Output())
		case <-time.After(retry):
		}
	}
}

// retry is how often a store that starts is tried; it bounds the error of start times.
const retry = 2 * time.Millisecond

func (s *store) stop(ctx context.Context) error {
	if s.process == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), startLimit)
	defer cancel()
	_, err := s.process.Stop(ctx)
	return err
}

// connect makes a connection of its own.
func connect(endpoint string) (*grpc.ClientConn, error) {
	return grpc.NewClient(endpoint, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: retry, Multiplier: 1, MaxDelay: retry},
			MinConnectTimeout: time.Second,
		}))
}
