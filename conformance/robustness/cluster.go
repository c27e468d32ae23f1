package robustness

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zkine/zkine/revision/zktest"
)

// Root is where the zkines of a run keep their state; each run has a ZooKeeper
// of its own.
const Root = "/robustness"

// Cluster is some zkines on one root of a ZooKeeper. Its methods are for the
// test's goroutine.
type Cluster struct {
	Zkines []*Zkine
	// Proxies stand between the zkine of the same index and a lone ZooKeeper,
	// to lose what goes through. An ensemble is reached directly: there are none.
	Proxies []*zktest.Proxy
	// ZooKeepers is one server, or the members of an ensemble.
	ZooKeepers []*zktest.Server

	ensemble *zktest.Ensemble // nil for a lone server
	t        testing.TB
}

// startCluster starts a scenario's ZooKeepers and zkines, ready to serve. All end
// with the test; the zkines' logs are in dir.
func startCluster(ctx context.Context, t testing.TB, program, dir string, s Scenario) *Cluster {
	t.Helper()
	c := &Cluster{t: t}
	if s.ZooKeepers == 1 {
		c.ZooKeepers = []*zktest.Server{zktest.Start(t)}
	} else {
		c.ensemble = zktest.StartEnsemble(t, s.ZooKeepers)
		c.ZooKeepers = c.ensemble.Servers
	}
	var flags []string
	if s.Busy {
		flags = busyFlags
	}
	for i := range s.Zkines {
		address := strings.Join(c.Servers(), ",")
		if c.ensemble == nil {
			proxy := zktest.NewProxy(t, c.ZooKeepers[0].Addr())
			c.Proxies = append(c.Proxies, proxy)
			address = proxy.Addr()
		}
		name := fmt.Sprintf("z%d", i+1)
		z, err := newZkine(program, name, address, Root, filepath.Join(dir, name+".log"), flags...)
		if err != nil {
			t.Fatal(err)
		}
		c.Zkines = append(c.Zkines, z)
		t.Cleanup(z.Kill)
		if err := z.Start(); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.AwaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	return c
}

// Servers are the addresses of the ZooKeepers.
func (c *Cluster) Servers() []string {
	var addresses []string
	for _, s := range c.ZooKeepers {
		addresses = append(addresses, s.Addr())
	}
	return addresses
}

// Endpoints are where clients reach the zkines.
func (c *Cluster) Endpoints() []string {
	var endpoints []string
	for _, z := range c.Zkines {
		endpoints = append(endpoints, z.Endpoint)
	}
	return endpoints
}

// AwaitReady waits until all zkines serve.
func (c *Cluster) AwaitReady(ctx context.Context) error {
	for _, z := range c.Zkines {
		if err := z.AwaitReady(ctx); err != nil {
			return err
		}
	}
	return nil
}

// AwaitUnready waits until no zkine can serve.
func (c *Cluster) AwaitUnready(ctx context.Context) error {
	for _, z := range c.Zkines {
		if err := z.AwaitUnready(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Kill kills all zkines: nothing is appended any more but what ZooKeeper already
// has in its hands.
func (c *Cluster) Kill() {
	for _, z := range c.Zkines {
		z.Kill()
	}
}
