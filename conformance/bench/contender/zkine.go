package contender

import (
	"context"
	"errors"
	"fmt"

	"github.com/zkine/zkine/conformance/rig"
	"github.com/zkine/zkine/revision/embedded"
)

// zooKeepers starts an ensemble of n the first time. Each server is set up as the one that zkine embeds.
func (s *Stage) zooKeepers(ctx context.Context, n int) (*rig.ZooKeepers, error) {
	if e := s.ensembles[n]; e != nil {
		return e, nil
	}
	dir, err := s.folder(fmt.Sprint("ensemble-of-", n))
	if err != nil {
		return nil, err
	}
	e, err := rig.StartZooKeepers(ctx, n, embedded.Config{Distribution: s.Programs.ZooKeeper, DataDir: dir})
	if err != nil {
		return nil, err
	}
	s.stops = append(s.stops, e.Stop)
	if s.ensembles == nil {
		s.ensembles = make(map[int]*rig.ZooKeepers)
	}
	s.ensembles[n] = e
	return e, nil
}

// startZkine starts one zkine, the one beside an API server.
func startZkine(zooKeepers int) func(context.Context, *Stage, *Contender) error {
	return func(ctx context.Context, s *Stage, c *Contender) error {
		return s.zkine(ctx, c, s.Programs.Zkine, zooKeepers)
	}
}

// startLeased starts one zkine that answers linearizable reads by the read lease.
func startLeased(zooKeepers int) func(context.Context, *Stage, *Contender) error {
	return func(ctx context.Context, s *Stage, c *Contender) error {
		e, err := s.zooKeepers(ctx, zooKeepers)
		if err != nil {
			return err
		}
		return s.zkineOn(ctx, c, s.Programs.Zkine, e, []string{"--read-lease"})
	}
}

var errNoBefore = errors.New("-before names no program to compare with")

// startBefore starts another zkine on a root of its own, for what a change is worth.
func startBefore(zooKeepers int) func(context.Context, *Stage, *Contender) error {
	return func(ctx context.Context, s *Stage, c *Contender) error {
		if s.Programs.Before == "" {
			return errNoBefore
		}
		return s.zkine(ctx, c, s.Programs.Before, zooKeepers)
	}
}

// plainHeap is what ZooKeeper's own zkServer.sh gives a server.
const plainHeap = 1000 << 20

// startPlain starts one zkine on ZooKeepers of its own, which run as Apache's zkServer.sh starts them.
func startPlain(zooKeepers int) func(context.Context, *Stage, *Contender) error {
	return func(ctx context.Context, s *Stage, c *Contender) error {
		dir, err := s.folder(fmt.Sprint("plain-ensemble-of-", zooKeepers))
		if err != nil {
			return err
		}
		e, err := rig.StartZooKeepers(ctx, zooKeepers, embedded.Config{
			Distribution: s.Programs.ZooKeeper, DataDir: dir, Plain: true, Heap: plainHeap,
		})
		if err != nil {
			return err
		}
		s.stops = append(s.stops, e.Stop)
		return s.zkineOn(ctx, c, s.Programs.Zkine, e, nil)
	}
}

// startSecure starts one zkine on ZooKeepers of its own, with TLS and client certificates, and with znodes that belong
// to it alone.
func startSecure(zooKeepers int) func(context.Context, *Stage, *Contender) error {
	return func(ctx context.Context, s *Stage, c *Contender) error {
		dir, err := s.folder(fmt.Sprint("secure-ensemble-of-", zooKeepers))
		if err != nil {
			return err
		}
		e, err := rig.StartSecureZooKeepers(ctx, zooKeepers, embedded.Config{Distribution: s.Programs.ZooKeeper, DataDir: dir})
		if err != nil {
			return err
		}
		s.stops = append(s.stops, e.Stop)
		args, err := e.ZkineArgs(c.Name)
		if err != nil {
			return err
		}
		return s.zkineOn(ctx, c, s.Programs.Zkine, e.ZooKeepers, append(args, "--zookeeper="+e.SecureAddresses()))
	}
}

func (s *Stage) zkine(ctx context.Context, c *Contender, program string, zooKeepers int) error {
	e, err := s.zooKeepers(ctx, zooKeepers)
	if err != nil {
		return err
	}
	return s.zkineOn(ctx, c, program, e, nil)
}

// zkineOn starts a zkine with further flags.
func (s *Stage) zkineOn(ctx context.Context, c *Contender, program string, e *rig.ZooKeepers, args []string) error {
	folder, err := s.folder(c.Name + "-remembered")
	if err != nil {
		return err
	}
	z, err := rig.NewZkine(rig.ZkineConfig{
		Program: program, Name: c.Name, ZooKeeper: e.Addresses(), Root: "/" + c.Name, DataDir: folder, Args: append(args, "--log-level=warn"),
	})
	if err != nil {
		return err
	}
	s.stopLater(z.Process)
	c.zkine, c.locate, c.servers = z, at(z.Endpoint), []server{z}
	c.add(e)
	return z.Up(ctx)
}

// add has the servers of an ensemble work for the contender.
func (c *Contender) add(e *rig.ZooKeepers) {
	for _, z := range e.Servers {
		c.servers = append(c.servers, z)
	}
}

// startBare lets the load speak to the leader: the shortest way that a write can have.
func startBare(zooKeepers int) func(context.Context, *Stage, *Contender) error {
	return func(ctx context.Context, s *Stage, c *Contender) error {
		e, err := s.zooKeepers(ctx, zooKeepers)
		if err != nil {
			return err
		}
		c.locate = func(ctx context.Context) (string, error) {
			leader, err := e.Leader(ctx)
			if err != nil {
				return "", err
			}
			return leader.Addr(), nil
		}
		c.add(e)
		return nil
	}
}
