package rig

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/sirupsen/logrus"

	"github.com/zkine/zkine/revision/embedded"
	"github.com/zkine/zkine/revision/zkclient/fourletter"
)

// FindZooKeeper finds the ZooKeeper in $ZKINE_ZOOKEEPER_DIR, or that which "make zookeeper" puts into the checkout.
func FindZooKeeper() (*embedded.Distribution, error) {
	dir := os.Getenv("ZKINE_ZOOKEEPER_DIR")
	if dir == "" {
		root, err := Checkout()
		if err != nil {
			return nil, err
		}
		dir = filepath.Join(root, ".cache", "zookeeper")
	}
	found, err := embedded.Find(embedded.FindOptions{Dir: dir})
	if err != nil {
		return nil, fmt.Errorf("%w; make zookeeper gets one", err)
	}
	return found, nil
}

// ZooKeepers is one server, or an ensemble.
type ZooKeepers struct {
	Servers []*embedded.Server
}

// StartZooKeepers starts n servers and returns when all of them serve. Each has what c says, and a folder of its own
// in c.DataDir. They are open to everyone, fsync, and are started again when they end; c.Distribution is FindZooKeeper's by default, and
// c.Logger one that is silent.
func StartZooKeepers(ctx context.Context, n int, c embedded.Config) (*ZooKeepers, error) {
	return startZooKeepers(ctx, n, c, func(*embedded.Config) error { return nil })
}

// startZooKeepers lets own add what a server has for itself.
func startZooKeepers(ctx context.Context, n int, c embedded.Config, own func(*embedded.Config) error) (*ZooKeepers, error) {
	if c.Distribution == nil {
		found, err := FindZooKeeper()
		if err != nil {
			return nil, err
		}
		c.Distribution = found
	}
	if c.Logger == nil {
		quiet := logrus.New()
		quiet.SetOutput(io.Discard)
		c.Logger = quiet
	}
	peers, err := newPeers(n)
	if err != nil {
		return nil, err
	}
	c.Open = true
	z, parent := &ZooKeepers{}, c.DataDir
	for _, peer := range peers {
		c.DataDir = filepath.Join(parent, fmt.Sprint("zookeeper-", peer.ID))
		if n > 1 {
			c.Ensemble = &embedded.Ensemble{ID: peer.ID, Peers: peers}
		}
		if err := own(&c); err != nil {
			z.Kill()
			return nil, err
		}
		server, err := embedded.Start(ctx, c)
		if err != nil {
			z.Kill()
			return nil, err
		}
		z.Servers = append(z.Servers, server)
	}
	for _, server := range z.Servers {
		if err := server.Ready(ctx); err != nil {
			z.Kill()
			return nil, err
		}
	}
	return z, nil
}

func newPeers(n int) (peers []embedded.Peer, err error) {
	for id := 1; id <= n; id++ {
		quorum, err := embedded.FreePort()
		if err != nil {
			return nil, err
		}
		election, err := embedded.FreePort()
		if err != nil {
			return nil, err
		}
		peers = append(peers, embedded.Peer{ID: id, QuorumPort: quorum, ElectionPort: election})
	}
	return peers, nil
}

// Addresses are those of all servers, with commas, as zkine's --zookeeper takes them.
func (z *ZooKeepers) Addresses() string {
	var all []string
	for _, s := range z.Servers {
		all = append(all, s.Addr())
	}
	return strings.Join(all, ",")
}

// Leader is the server that writes reach first: the only one, or the one that says it leads. One that is frozen says
// nothing.
func (z *ZooKeepers) Leader(ctx context.Context) (*embedded.Server, error) {
	for _, s := range z.Servers {
		if mode, err := fourletter.Mode(ctx, s.Addr()); err == nil && mode != "follower" {
			return s, nil
		}
	}
	return nil, fmt.Errorf("none of the ZooKeepers %s leads", z.Addresses())
}

// Serve is an error unless each server serves.
func (z *ZooKeepers) Serve(ctx context.Context) error {
	for _, s := range z.Servers {
		if _, err := fourletter.Mode(ctx, s.Addr()); err != nil {
			return err
		}
	}
	return nil
}

// Stop ends all servers in peace, last first.
func (z *ZooKeepers) Stop(ctx context.Context) error {
	var all error
	for i := range z.Servers {
		all = errors.Join(all, z.Servers[len(z.Servers)-1-i].Stop(ctx))
	}
	return all
}

// Kill ends all servers, frozen or not.
func (z *ZooKeepers) Kill() {
	for _, s := range z.Servers {
		s.Signal(syscall.SIGCONT)
		s.Kill()
	}
}
