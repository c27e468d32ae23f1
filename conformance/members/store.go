package main

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/zkine/zkine/conformance/api/process"
	"github.com/zkine/zkine/conformance/bench/contender"
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
func (p programs) zkineStore(name, zookeeper, dir string) (*store, error) {
	ports, err := contender.FreeAddresses(2)
	if err != nil {
		return nil, err
	}
	s := &store{name: name, program: p.zkine, endpoint: ports[0]}
	s.args = []string{
		"server", "--name=" + name, "--zookeeper=" + zookeeper, "--data-dir=" + filepath.Join(dir, name),
		"--listen-client-urls=http://" + ports[0], "--listen-metrics-urls=http://" + ports[1],
	}
	return s, nil
}

// stopLimit bounds how long a store may take to end.
const stopLimit = 2 * time.Minute

// start starts the process, and returns once it has answered a linearizable read.
func (s *store) start(ctx context.Context) (err error) {
	if s.process, err = process.Start(s.program, s.args); err != nil {
		return err
	}
	return contender.AwaitServing(ctx, s.endpoint, s.process)
}

func (s *store) stop(ctx context.Context) error {
	if s.process == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
	defer cancel()
	_, err := s.process.Stop(ctx)
	return err
}
