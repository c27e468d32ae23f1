package main

import (
	"context"
	"crypto/x509/pkix"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/zkine/zkine/conformance/rig"
	"github.com/zkine/zkine/revision/embedded"
	"github.com/zkine/zkine/revision/zktest/certs"
)

// stage is where servers are started.
type stage struct {
	dir         string
	zkine, etcd string // programs
	zooKeepers  *rig.ZooKeepers
	own         certs.Issued // of the servers; no client of the loads looks at it
	turns       int          // so far
}

// newStage has the programs, a ZooKeeper and a certificate.
func newStage(ctx context.Context, dir, zkine string) (*stage, error) {
	s := &stage{dir: dir, zkine: zkine}
	var err error
	if s.zkine == "" {
		if s.zkine, err = rig.BuildZkine(ctx); err != nil {
			return nil, err
		}
	}
	if s.etcd, err = rig.Component("etcd"); err != nil {
		return nil, err
	}
	authority, err := certs.New(dir)
	if err != nil {
		return nil, err
	}
	if s.own, err = authority.Issue(pkix.Name{CommonName: "abuse"}, "127.0.0.1"); err != nil {
		return nil, err
	}
	s.zooKeepers, err = rig.StartZooKeepers(ctx, 1, embedded.Config{DataDir: filepath.Join(dir, "zookeeper"), Heap: 2 << 30})
	return s, err
}

// subject is a server under load.
type subject struct {
	*rig.Process
	kind                 string
	client, tls, metrics string // host:port
	profiles             string // host:port of /debug/pprof
}

// The kinds of subjects.
const (
	zkineKind = "zkine"
	etcdKind  = "etcd"
)

// start starts a server for a row, with nothing in it, and returns when it serves.
func (s *stage) start(ctx context.Context, kind string, r row) (*subject, error) {
	s.turns++
	dir := filepath.Join(s.dir, fmt.Sprintf("%02d-%s-%s", s.turns, r.name, kind))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	more, err := rig.FreeAddresses(2)
	if err != nil {
		return nil, err
	}
	u := &subject{kind: kind, tls: more[0]}
	if kind == zkineKind {
		z, err := rig.NewZkine(rig.ZkineConfig{
			Program: s.zkine, Name: "m", ZooKeeper: s.zooKeepers.Addresses(), Root: fmt.Sprintf("/abuse-%d", s.turns),
			DataDir: filepath.Join(dir, "data"), Log: logOf(dir),
		})
		if err != nil {
			return nil, err
		}
		u.Process, u.client, u.metrics, u.profiles = z.Process, z.Endpoint, z.Metrics, z.Metrics
	} else {
		e, err := rig.NewEtcd(rig.EtcdConfig{
			Program: s.etcd, Name: "m", DataDir: filepath.Join(dir, "data"), Log: logOf(dir),
			Args: []string{"--listen-metrics-urls=http://" + more[1]},
		})
		if err != nil {
			return nil, err
		}
		u.Process, u.client, u.metrics, u.profiles = e.Process, e.Endpoint, more[1], e.Endpoint
	}
	u.Args = append(u.Args, "--enable-pprof")
	if r.tls {
		for i, arg := range u.Args {
			if strings.HasPrefix(arg, "--listen-client-urls=") {
				u.Args[i] += ",https://" + u.tls
			}
		}
		u.Args = append(u.Args, "--cert-file="+s.own.CertFile, "--key-file="+s.own.KeyFile)
	}
	if r.descriptors > 0 {
		u.Args = append([]string{"-c", `ulimit -n "$0" && exec "$@"`, fmt.Sprint(r.descriptors), u.Path}, u.Args...)
		u.Path = "/bin/sh"
	}
	if err := u.Start(); err != nil {
		return nil, err
	}
	return u, u.AwaitServing(ctx, u.client)
}

// stopLimit bounds how long a server may take to end.
const stopLimit = time.Minute

// stop ends the server, and is an error if it broke or had ended before.
func (u *subject) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
	defer cancel()
	if err := u.Ended(); err != nil {
		return err
	}
	if _, err := u.Stop(ctx); err != nil {
		return err
	}
	return u.CheckOutput()
}
