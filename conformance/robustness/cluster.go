package robustness

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zkine/zkine/conformance/rig"
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
	net      *Network         // nil on the loopback interface
	// places are the nodes of ZooKeepers and zkines, own that of this process;
	// only with a network.
	own     *Node
	servers []*Node
	members []*Node
	disks   []string // the ZooKeepers' data folders, if they are disks of their own
	t       testing.TB
}

// spreadTick is the tickTime of ZooKeepers in a network of their own: they give
// each other up after five of them.
const spreadTick = 500 * time.Millisecond

// ZooKeeper's and zkine's defaults, for scenarios at them.
const (
	defaultTick           = 2 * time.Second
	defaultSessionTimeout = 10 * time.Second
)

// diskSize is that of a ZooKeeper's disk, where it has one of its own.
const diskSize = "96m"

// startCluster starts a scenario's ZooKeepers and zkines, ready to serve. All end
// with the test; the zkines' logs are in dir.
func startCluster(ctx context.Context, t testing.TB, program, dir string, s Scenario) *Cluster {
	t.Helper()
	c := &Cluster{t: t}
	if inNamespaces() && s.ZooKeepers > 1 {
		tick := spreadTick
		if s.Defaults {
			tick = defaultTick
		}
		c.spread(s.ZooKeepers, s.Zkines, tick)
	} else if s.ZooKeepers == 1 {
		c.ZooKeepers = []*zktest.Server{zktest.Start(t)}
	} else {
		c.ensemble = zktest.StartEnsemble(t, s.ZooKeepers)
		c.ZooKeepers = c.ensemble.Servers
	}
	var flags []string
	if s.Busy {
		flags = busyFlags
	}
	if s.Defaults {
		flags = append(slices.Clone(flags), "--zookeeper-session-timeout="+defaultSessionTimeout.String())
	}
	for i := range s.Zkines {
		address := strings.Join(c.Servers(), ",")
		if c.ensemble == nil { // there is no network, then
			proxy := zktest.NewProxy(t, c.ZooKeepers[0].Addr())
			c.Proxies = append(c.Proxies, proxy)
			address = proxy.Addr()
		}
		name := fmt.Sprintf("z%d", i+1)
		var node *Node
		if c.net != nil {
			node = c.members[i]
		}
		z, err := newZkine(rig.ZkineConfig{
			Program: program, Name: name, ZooKeeper: address, Root: Root, Log: filepath.Join(dir, name+".log"),
		}, node, flags...)
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

// spread makes a network with a node for each ZooKeeper and zkine, a disk for
// each ZooKeeper, and starts the ZooKeepers.
func (c *Cluster) spread(zooKeepers, zkines int, tick time.Duration) {
	c.t.Helper()
	var err error
	if c.net, c.own, err = newNetwork(1); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(c.net.Close)
	const firstServer, firstMember = 11, 21
	var places []zktest.Place
	for i := range zooKeepers {
		node, err := c.net.node(byte(firstServer + i))
		if err != nil {
			c.t.Fatal(err)
		}
		disk := c.t.TempDir()
		if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size="+diskSize); err != nil {
			c.t.Fatalf("mount a disk for a ZooKeeper: %v", err)
		}
		c.t.Cleanup(func() { unix.Unmount(disk, unix.MNT_DETACH) }) //nolint:errcheck // the namespace ends soon
		c.servers, c.disks = append(c.servers, node), append(c.disks, disk)
		places = append(places, zktest.Place{Host: node.Host(), Enter: node.Enter, Dir: disk})
	}
	for i := range zkines {
		node, err := c.net.node(byte(firstMember + i))
		if err != nil {
			c.t.Fatal(err)
		}
		c.members = append(c.members, node)
	}
	c.ensemble = zktest.StartEnsembleAt(c.t, places, zktest.WithTickTime(tick), zktest.WithProperty("4lw.commands.whitelist", "srvr,mntr,ruok,cons"))
	c.ZooKeepers = c.ensemble.Servers
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
