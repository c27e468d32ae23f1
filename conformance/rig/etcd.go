package rig

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
)

// EtcdConfig says how an etcd is started. What is not set is etcd's default.
type EtcdConfig struct {
	// Program is the executable: a component.
	Program string
	// Name is its member name.
	Name string
	// DataDir is its folder, which may not exist yet.
	DataDir string
	// AdvertisePeer is the peer URL that it tells others; "" is the one that it listens on. An etcd on a restored
	// snapshot has to have the one that was restored.
	AdvertisePeer string
	// Args come last, and so win.
	Args []string
	// Env and Log are the Program's.
	Env []string
	Log string
}

// Etcd is an etcd that is started, ended, and started again on the same ports and folder.
type Etcd struct {
	*Process
	// Endpoint is where clients reach it, host:port, running or not.
	Endpoint string
}

// NewEtcd describes a cluster of one etcd, which does not run yet.
func NewEtcd(c EtcdConfig) (*Etcd, error) {
	addresses, err := FreeAddresses(2)
	if err != nil {
		return nil, err
	}
	return newEtcd(c, addresses[0], "http://"+addresses[1], ""), nil
}

// NewEtcds describes a cluster of n etcds, which do not run yet. Each has a number behind the name, and a folder of its
// own in the DataDir.
func NewEtcds(n int, c EtcdConfig) ([]*Etcd, error) {
	addresses, err := FreeAddresses(2 * n)
	if err != nil {
		return nil, err
	}
	members, cluster := make([]EtcdConfig, n), make([]string, n)
	for i := range members {
		members[i] = c
		members[i].Name = fmt.Sprint(c.Name, i)
		members[i].DataDir = filepath.Join(c.DataDir, fmt.Sprint(i))
		cluster[i] = members[i].Name + "=http://" + addresses[n+i]
	}
	etcds := make([]*Etcd, n)
	for i, m := range members {
		etcds[i] = newEtcd(m, addresses[i], "http://"+addresses[n+i], strings.Join(cluster, ","))
	}
	return etcds, nil
}

// newEtcd is a member of a cluster of which cluster lists the others; "" is itself alone.
func newEtcd(c EtcdConfig, client, peer, cluster string) *Etcd {
	advertised := c.AdvertisePeer
	if advertised == "" {
		advertised = peer
	}
	if cluster == "" {
		cluster = c.Name + "=" + advertised
	}
	args := []string{
		"--name=" + c.Name, "--data-dir=" + c.DataDir,
		"--listen-client-urls=http://" + client, "--advertise-client-urls=http://" + client,
		"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + advertised,
		"--initial-cluster=" + cluster,
	}
	return &Etcd{
		Process:  New(Program{Name: c.Name, Path: c.Program, Args: append(args, c.Args...), Env: c.Env, Log: c.Log}),
		Endpoint: client,
	}
}

// Up starts the etcd and returns when it has answered a client's first linearizable read. Members of a cluster are
// started first, and awaited then.
func (e *Etcd) Up(ctx context.Context) error {
	if err := e.Start(); err != nil {
		return err
	}
	return e.AwaitServing(ctx)
}

// AwaitServing waits for that read of an etcd that was started.
func (e *Etcd) AwaitServing(ctx context.Context) error {
	return e.Process.AwaitServing(ctx, e.Endpoint)
}
