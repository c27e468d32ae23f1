package contender

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/sirupsen/logrus"

	"github.com/zkine/zkine/revision/embedded"
	"github.com/zkine/zkine/revision/zkclient/fourletter"
)

// ensemble is one ZooKeeper, or three.
type ensemble struct {
	servers []*embedded.Server
}

func (e *ensemble) addresses() []string {
	var all []string
	for _, s := range e.servers {
		all = append(all, s.Addr())
	}
	return all
}

// leader is the address of the server that writes reach first.
func (e *ensemble) leader(ctx context.Context) (string, error) {
	for _, s := range e.servers {
		mode, err := fourletter.Mode(ctx, s.Addr())
		if err != nil {
			return "", err
		}
		if mode != "follower" {
			return s.Addr(), nil
		}
	}
	return "", fmt.Errorf("none of the ZooKeepers %q leads", e.addresses())
}

// zooKeepers starts an ensemble of n the first time. Each server is set up as the one that zkine embeds.
func (s *Stage) zooKeepers(ctx context.Context, n int) (*ensemble, error) {
	if e := s.ensembles[n]; e != nil {
		return e, nil
	}
	peers, err := newPeers(n)
	if err != nil {
		return nil, err
	}
	quiet := logrus.New()
	quiet.SetOutput(io.Discard)
	quiet.SetLevel(logrus.WarnLevel)
	e := &ensemble{}
	for _, peer := range peers {
		dir, err := s.folder(fmt.Sprintf("zookeeper%d-%d", n, peer.ID))
		if err != nil {
			return nil, err
		}
		cfg := embedded.Config{Distribution: s.Programs.ZooKeeper, DataDir: dir, Logger: quiet}
		if n > 1 {
			cfg.Ensemble = &embedded.Ensemble{ID: peer.ID, Peers: peers}
		}
		z, err := embedded.Start(ctx, cfg)
		if err != nil {
			return nil, err
		}
		s.stops = append(s.stops, z.Stop)
		e.servers = append(e.servers, z)
	}
	for _, z := range e.servers {
		if err := z.Ready(ctx); err != nil {
			return nil, err
		}
	}
	if s.ensembles == nil {
		s.ensembles = make(map[int]*ensemble)
	}
	s.ensembles[n] = e
	return e, nil
}

func newPeers(n int) ([]embedded.Peer, error) {
	var peers []embedded.Peer
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

// startZkine starts one zkine, the one beside an API server.
func startZkine(zooKeepers int) func(context.Context, *Stage, *Contender) error {
	return func(ctx context.Context, s *Stage, c *Contender) error {
		return s.zkine(ctx, c, s.Programs.Zkine, zooKeepers)
	}
}

// startBefore starts another zkine on a root of its own, for what a change is worth.
func startBefore(zooKeepers int) func(context.Context, *Stage, *Contender) error {
	return func(ctx context.Context, s *Stage, c *Contender) error {
		if s.Programs.Before == "" {
			return errors.New("there is no program to compare with")
		}
		return s.zkine(ctx, c, s.Programs.Before, zooKeepers)
	}
}

func (s *Stage) zkine(ctx context.Context, c *Contender, program string, zooKeepers int) error {
	e, err := s.zooKeepers(ctx, zooKeepers)
	if err != nil {
		return err
	}
	ports, err := FreeAddresses(2)
	if err != nil {
		return err
	}
	folder, err := s.folder(c.Name + "-remembered")
	if err != nil {
		return err
	}
	p, err := s.run(program, []string{
		"server", "--name=" + c.Name, "--zookeeper-root=/" + c.Name, "--zookeeper=" + strings.Join(e.addresses(), ","), "--log-level=warn", "--data-dir=" + folder,
		"--listen-client-urls=http://" + ports[0], "--listen-metrics-urls=http://" + ports[1],
	})
	if err != nil {
		return err
	}
	c.locate, c.servers = at(ports[0]), []server{p}
	for _, z := range e.servers {
		c.servers = append(c.servers, z)
	}
	return AwaitServing(ctx, ports[0], p)
}

// startBare lets the load speak to the leader: the shortest way that a write can have.
func startBare(zooKeepers int) func(context.Context, *Stage, *Contender) error {
	return func(ctx context.Context, s *Stage, c *Contender) error {
		e, err := s.zooKeepers(ctx, zooKeepers)
		if err != nil {
			return err
		}
		c.locate = e.leader
		for _, z := range e.servers {
			c.servers = append(c.servers, z)
		}
		return nil
	}
}
