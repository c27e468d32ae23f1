package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/zkine/zkine/conformance/api/process"
	"github.com/zkine/zkine/revision/embedded"
)

// programs are what is measured.
type programs struct{ zkine, zookeeper, etcd string }

func findPrograms(ctx context.Context, etcd string) (programs, error) {
	root, err := process.Checkout()
	if err != nil {
		return programs{}, err
	}
	p := programs{zookeeper: filepath.Join(root, ".cache", "zookeeper"), etcd: etcd}
	if p.etcd == "" {
		p.etcd = filepath.Join(root, ".cache", "bin", "etcd")
	}
	if dir := os.Getenv("ZKINE_ZOOKEEPER_DIR"); dir != "" {
		p.zookeeper = dir
	}
	if _, err := os.Stat(p.etcd); err != nil {
		return programs{}, fmt.Errorf("there is no etcd to compare with; run components/build.sh etcd: %w", err)
	}
	p.zkine, err = process.Zkine(ctx, false)
	return p, err
}

// store is a server that runs, and what it takes to start it.
type store struct {
	name     string
	program  string
	args     []string
	env      []string
	endpoint string // host:port

	process *process.Process
}

// zkineStore is a zkine on the ZooKeeper that it embeds; with zookeeper, on that one instead.
func (p programs) zkineStore(name, dir, zookeeper string) (*store, error) {
	ports, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	s := &store{name: name, program: p.zkine, endpoint: ports[0], env: []string{"ZOOKEEPER_HOME=" + p.zookeeper}}
	s.args = []string{
		"server", "--name=" + filepath.Base(dir), "--data-dir=" + dir,
		"--listen-client-urls=http://" + ports[0], "--listen-metrics-urls=http://" + ports[1],
	}
	if zookeeper != "" {
		s.args = append(s.args, "--zookeeper="+zookeeper)
	}
	return s, nil
}

func (p programs) etcdStore(dir string) (*store, error) {
	ports, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	client, peer := "http://"+ports[0], "http://"+ports[1]
	return &store{name: "etcd", program: p.etcd, endpoint: ports[0], args: []string{
		"--data-dir=" + dir, "--log-level=error",
		"--listen-client-urls=" + client, "--advertise-client-urls=" + client,
		"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer, "--initial-cluster=default=" + peer,
	}}, nil
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
	if s.process, err = process.Start(s.program, s.args, s.env...); err != nil {
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

// zookeeper is the address of the ZooKeeper that a zkine embeds.
func (s *store) zookeeper(ctx context.Context) (string, error) {
	match, err := s.process.Await(ctx, `connecting to ZooKeeper at ([^" \n]+)`)
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(match[1]), nil
}

// connect makes a connection of its own.
func connect(endpoint string) (*grpc.ClientConn, error) {
	return grpc.NewClient(endpoint, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: retry, Multiplier: 1, MaxDelay: retry},
			MinConnectTimeout: time.Second,
		}))
}
