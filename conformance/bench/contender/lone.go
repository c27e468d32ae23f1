package contender

import (
	"context"
	"path/filepath"
	"strings"
	"time"

	"github.com/zkine/zkine/conformance/rig"
)

// Lone is a server with a folder of its own, started and stopped to see how long that takes.
type Lone struct {
	*rig.Process
	Endpoint string // host:port

	up func(context.Context) error
}

// LoneZkine is a zkine, of that program, with the ZooKeeper that it embeds, as "make run" starts it; with the address of a ZooKeeper, one
// on that instead.
func (p Programs) LoneZkine(program, dir, zooKeeper string) (*Lone, error) {
	z, err := rig.NewZkine(rig.ZkineConfig{
		Program: program, Name: filepath.Base(dir), DataDir: dir, ZooKeeper: zooKeeper,
		Env: []string{"ZOOKEEPER_HOME=" + p.ZooKeeper.Dir},
	})
	if err != nil {
		return nil, err
	}
	return &Lone{z.Process, z.Endpoint, z.Up}, nil
}

// LoneEtcd is an etcd.
func (p Programs) LoneEtcd(dir string) (*Lone, error) {
	e, err := rig.NewEtcd(rig.EtcdConfig{Program: p.Etcd, Name: "default", DataDir: dir, Args: []string{"--log-level=error"}})
	if err != nil {
		return nil, err
	}
	return &Lone{e.Process, e.Endpoint, e.Up}, nil
}

// Up starts it and returns how long it took until the first linearizable read was answered.
func (l *Lone) Up(ctx context.Context) (time.Duration, error) {
	began := time.Now()
	err := l.up(ctx)
	return time.Since(began), err
}

// Stop stops it, if it was started.
func (l *Lone) Stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
	defer cancel()
	_, err := l.Process.Stop(ctx)
	return err
}

// ZooKeeper is the address of the ZooKeeper that a zkine embeds.
func (l *Lone) ZooKeeper(ctx context.Context) (string, error) {
	match, err := l.Await(ctx, `connecting to ZooKeeper at ([^" \n]+)`)
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(match[1]), nil
}
