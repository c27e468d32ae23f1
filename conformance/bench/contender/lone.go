package contender

import (
	"context"
	"path/filepath"
	"strings"
	"time"

	"github.com/zkine/zkine/conformance/api/process"
)

// Lone is a server with a folder of its own, started and stopped to see how long that takes.
type Lone struct {
	Endpoint string // host:port

	program string
	args    []string
	env     []string
	process *process.Process
}

// LoneZkine is a zkine with the ZooKeeper that it embeds, as "make run" starts it; with the address of a ZooKeeper, one
// on that instead.
func (p Programs) LoneZkine(dir, zooKeeper string) (*Lone, error) {
	ports, err := FreeAddresses(2)
	if err != nil {
		return nil, err
	}
	l := &Lone{Endpoint: ports[0], program: p.Zkine, env: []string{"ZOOKEEPER_HOME=" + p.ZooKeeper.Dir}}
	l.args = []string{
		"server", "--name=" + filepath.Base(dir), "--data-dir=" + dir,
		"--listen-client-urls=http://" + ports[0], "--listen-metrics-urls=http://" + ports[1],
	}
	if zooKeeper != "" {
		l.args = append(l.args, "--zookeeper="+zooKeeper)
	}
	return l, nil
}

// LoneEtcd is an etcd.
func (p Programs) LoneEtcd(dir string) (*Lone, error) {
	ports, err := FreeAddresses(2)
	if err != nil {
		return nil, err
	}
	client, peer := "http://"+ports[0], "http://"+ports[1]
	return &Lone{Endpoint: ports[0], program: p.Etcd, args: []string{
		"--data-dir=" + dir, "--log-level=error",
		"--listen-client-urls=" + client, "--advertise-client-urls=" + client,
		"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer, "--initial-cluster=default=" + peer,
	}}, nil
}

// Start starts it and returns how long it took until the first linearizable read was answered.
func (l *Lone) Start(ctx context.Context) (took time.Duration, err error) {
	began := time.Now()
	if l.process, err = process.Start(l.program, l.args, l.env...); err != nil {
		return 0, err
	}
	err = AwaitServing(ctx, l.Endpoint, l.process)
	return time.Since(began), err
}

// Stop stops it, if it was started.
func (l *Lone) Stop(ctx context.Context) error {
	if l.process == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
	defer cancel()
	_, err := l.process.Stop(ctx)
	return err
}

// ZooKeeper is the address of the ZooKeeper that a zkine embeds.
func (l *Lone) ZooKeeper(ctx context.Context) (string, error) {
	match, err := l.process.Await(ctx, `connecting to ZooKeeper at ([^" \n]+)`)
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(match[1]), nil
}
