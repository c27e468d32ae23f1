package robustness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zkine/zkine/conformance/rig"
	"github.com/zkine/zkine/revision/zkclient/fourletter"
	"github.com/zkine/zkine/revision/zktest"
)

// Faults of an ensemble in a network of its own, and of zkines there.
var (
	// BlipZkine freezes a zkine for less than its session's time.
	BlipZkine = Fault{Name: "zkine-blip", apply: blipZkine}
	// FreezeKeeper freezes the keeper until its session is over: another takes
	// over, and it wakes and believes for a moment to be it still.
	FreezeKeeper = Fault{Name: "keeper-freeze", apply: freezeKeeper}
	// ExceedMemoryLimit lowers a zkine's memory limit until the kernel kills it.
	ExceedMemoryLimit = Fault{Name: "zkine-memory", apply: exceedMemoryLimit, network: true}

	KillFollower   = Fault{Name: "follower-kill", apply: killFollower, network: true}
	FreezeFollower = Fault{Name: "follower-freeze", apply: freezeFollower, network: true}
	// KillEnsemble kills all ZooKeepers at once; they start once no zkine can
	// serve, and longer than a lease of the load's lasts after that.
	KillEnsemble = Fault{Name: "zookeepers-kill-all", apply: killEnsemble, network: true}
	// KillEverything kills all processes at once.
	KillEverything = Fault{Name: "everything-kill", apply: killEverything, network: true}

	// The next ones cut, slow or lose what goes over links, for some seconds.
	CutZkine        = cutting("zkine-cut-off", zkineCut(both))
	CutZkineOut     = cutting("zkine-cut-to-zookeepers", zkineCut(out))
	CutZkineIn      = cutting("zkine-cut-from-zookeepers", zkineCut(in))
	CutOneServer    = cutting("zkine-cut-from-its-zookeeper", zkineServerCut)
	CutLeader       = cutting("leader-cut-off", serverCut(true, both))
	CutLeaderOut    = cutting("leader-cut-out", serverCut(true, out))
	CutLeaderIn     = cutting("leader-cut-in", serverCut(true, in))
	CutFollower     = cutting("follower-cut-off", serverCut(false, both))
	IsolateLeader   = cutting("leader-host-gone", hostGone(true))
	IsolateFollower = cutting("follower-host-gone", hostGone(false))
	SlowLinks       = cutting("slow-links", everyLink(Link{Delay: 10 * time.Millisecond, Jitter: 5 * time.Millisecond}))
	LossyLinks      = cutting("lossy-links", everyLink(Link{Loss: 0.05}))

	// KillLeaderAtDefaults and FreezeLeaderAtDefaults are KillZooKeeper and
	// FreezeZooKeeper at the times that people have.
	KillLeaderAtDefaults   = Fault{Name: "leader-kill-at-defaults", apply: killZooKeeper, network: true, defaults: true}
	FreezeLeaderAtDefaults = Fault{Name: "leader-freeze-at-defaults", apply: freezeZooKeeper, network: true, defaults: true}

	// FillFollower and FillLeader fill the disk under a ZooKeeper.
	FillFollower = Fault{Name: "follower-disk-full", apply: fillDisk(false), network: true}
	FillLeader   = Fault{Name: "leader-disk-full", apply: fillDisk(true), network: true}
)

// Matrix is every fault that a cluster of three and three in a network of its
// own can have.
var Matrix = []Fault{
	Calm,
	KillZkine, KillAllZkines, BlipZkine, FreezeZkine, FreezeKeeper, ExceedMemoryLimit, StepClock,
	KillFollower, FreezeFollower, KillZooKeeper, BlinkZooKeeper, FreezeZooKeeper, KillEnsemble, KillEverything,
	CutZkine, CutZkineOut, CutZkineIn, CutOneServer, CutLeader, CutLeaderOut, CutLeaderIn, CutFollower,
	IsolateLeader, IsolateFollower, SlowLinks, LossyLinks, FillFollower, FillLeader,
	KillLeaderAtDefaults, FreezeLeaderAtDefaults,
}

// lastFor lets a fault last. Its length is what it is, not a wait for something.
func lastFor(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// clients are the zkines that are connected to a server, which ZooKeeper tells
// with "cons"; a zkine has an address of its own only in a network.
func (e *faultEnv) clients(ctx context.Context, server *zktest.Server) (connected []*Zkine) {
	if e.net == nil {
		return nil
	}
	answer, err := fourletter.Ask(ctx, server.Addr(), "cons")
	if err != nil {
		return nil // it serves nobody
	}
	for i, z := range e.Zkines {
		if strings.Contains(answer, "/"+e.members[i].Host()+":") {
			connected = append(connected, z)
		}
	}
	return connected
}

func (e *faultEnv) hitServers(ctx context.Context, servers ...*zktest.Server) {
	for _, s := range servers {
		e.hit(e.clients(ctx, s)...)
	}
}

// server is the leader or some follower, and its index.
func (e *faultEnv) server(leader bool) (int, *zktest.Server) {
	l := e.ensemble.Leader()
	at := slices.Index(e.ZooKeepers, l)
	if leader {
		return at, l
	}
	at = (at + 1 + e.rand.IntN(len(e.ZooKeepers)-1)) % len(e.ZooKeepers)
	return at, e.ZooKeepers[at]
}

func blipZkine(ctx context.Context, e *faultEnv) error {
	z := e.anyZkine()
	e.hit(z)
	z.Freeze()
	if err := lastFor(ctx, SessionTimeout*2/5); err != nil {
		return err
	}
	z.Thaw()
	return nil
}

func freezeKeeper(ctx context.Context, e *faultEnv) error {
	name, err := e.observer.Keeper(ctx)
	if err != nil {
		return err
	}
	for _, z := range e.Zkines {
		if z.Name == name {
			return e.outlast(ctx, z)
		}
	}
	return fmt.Errorf("the keeper, %q, is none of the zkines", name)
}

func killFollower(ctx context.Context, e *faultEnv) error {
	_, server := e.server(false)
	return e.killServer(ctx, server)
}

func freezeFollower(ctx context.Context, e *faultEnv) error {
	_, server := e.server(false)
	return e.freezeServer(ctx, server)
}

func killEnsemble(ctx context.Context, e *faultEnv) error {
	e.hit(e.Zkines...)
	e.load.linger()
	for _, s := range e.ZooKeepers {
		s.Kill()
	}
	if err := e.AwaitUnready(ctx); err != nil {
		return err
	}
	if err := lastFor(ctx, heldTTL+time.Second); err != nil {
		return err
	}
	e.ensemble.Restart()
	return nil
}

func killEverything(_ context.Context, e *faultEnv) error {
	e.hit(e.Zkines...)
	e.load.linger()
	e.Kill()
	for _, s := range e.ZooKeepers {
		s.Kill()
	}
	for _, z := range e.Zkines {
		if err := z.Start(); err != nil {
			return err
		}
	}
	e.ensemble.Restart()
	return nil
}

// fillDisk fills the disk under a ZooKeeper until zkines live without it, and
// empties it again.
func fillDisk(leader bool) func(context.Context, *faultEnv) error {
	return func(ctx context.Context, e *faultEnv) error {
		s, server := e.server(leader)
		e.hitServers(ctx, server)
		ballast := filepath.Join(e.disks[s], "ballast")
		if err := fill(ballast); err != nil {
			return err
		}
		pid := server.Pid()
		err := rig.Poll(ctx, func() error {
			if server.Mode() != "" && server.Pid() == pid {
				return fmt.Errorf("the ZooKeeper on a full disk still serves")
			}
			return nil
		})
		if err == nil {
			err = e.awaitOutage(ctx)
		}
		if err == nil {
			err = lastFor(ctx, partitionTime) // in which it may try again, in vain
		}
		if removed := os.Remove(ballast); err == nil {
			err = removed
		}
		if err == nil {
			server.Ready()
		}
		return err
	}
}

// fill makes a file as large as there is space.
func fill(name string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	zeros := make([]byte, 64<<10)
	for err == nil {
		_, err = f.Write(zeros)
		if err != nil && len(zeros) > 1 {
			zeros, err = zeros[:len(zeros)/2], nil
		}
	}
	if errors.Is(err, unix.ENOSPC) || strings.Contains(err.Error(), "no space left") {
		return nil
	}
	return err
}
