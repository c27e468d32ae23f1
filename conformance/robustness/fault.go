package robustness

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/zkine/zkine/revision/zktest"
)

// Fault is something that goes wrong and is mended again. It returns once its
// effect was seen and it was mended; whether all is well again is for the caller
// to wait for.
type Fault struct {
	Name string
	// apply runs on the test's goroutine.
	apply func(context.Context, *faultEnv) error
	// lone says that it needs a lone ZooKeeper, behind proxies.
	lone bool
	// network says that it needs an ensemble in a network of its own.
	network bool
	// clock says that it needs zkines built by buildStepped.
	clock bool
	// defaults says that it is played at ZooKeeper's and zkine's default times.
	defaults bool
}

// faultEnv is what a fault may touch.
type faultEnv struct {
	*Cluster
	rand *rand.Rand
	// progress waits until clients have made some more revisions.
	progress func(context.Context) error
	observer *Observer
	load     *Traffic
	// hits are the names of the zkines that the fault hit: itself, or the
	// ZooKeeper that it was connected to.
	hits map[string]bool
	// windows are the faults that have been.
	windows []window
}

func (e *faultEnv) hit(zkines ...*Zkine) {
	for _, z := range zkines {
		e.hits[z.Name] = true
	}
}

// The faults. What a zkine or a ZooKeeper is killed with is SIGKILL, and frozen
// with, SIGSTOP.
var (
	// Calm is none: there is some more traffic.
	Calm = Fault{Name: "calm", apply: func(ctx context.Context, e *faultEnv) error { return e.progress(ctx) }}
	// KillZkine kills a zkine in the midst of its work and starts it again.
	KillZkine = Fault{Name: "kill-zkine", apply: killZkine}
	// KillAllZkines kills all at once and starts them again.
	KillAllZkines = Fault{Name: "kill-all-zkines", apply: killAllZkines}
	// FreezeZkine freezes a zkine until ZooKeeper has ended its session.
	FreezeZkine = Fault{Name: "freeze-zkine", apply: freezeZkine}
	// KillZooKeeper kills the server, or the leader of an ensemble; it is
	// started again once no zkine can serve, or, in an ensemble, all can again.
	KillZooKeeper = Fault{Name: "kill-zookeeper", apply: killZooKeeper}
	// BlinkZooKeeper kills the server, or the leader, and starts it at once.
	BlinkZooKeeper = Fault{Name: "blink-zookeeper", apply: blinkZooKeeper}
	// FreezeZooKeeper freezes the server, or the leader of an ensemble, as long
	// as KillZooKeeper lets it be dead.
	FreezeZooKeeper = Fault{Name: "freeze-zookeeper", apply: freezeZooKeeper}
	// LoseReplies lets ZooKeeper execute a zkine's writes and cuts the
	// connection before it hears of that, several times in a row.
	LoseReplies = Fault{Name: "lose-replies", apply: loseReplies, lone: true}
	// LoseRequests cuts connections with writes that never arrive.
	LoseRequests = Fault{Name: "lose-requests", apply: loseRequests, lone: true}
	// LateRequest holds a write while its sender is cut off and goes on with a
	// new session, and lets it arrive long after.
	LateRequest = Fault{Name: "late-request", apply: lateRequest, lone: true}

	// AllFaults are all of them but Calm.
	AllFaults = []Fault{
		KillZkine, KillAllZkines, FreezeZkine, KillZooKeeper, BlinkZooKeeper, FreezeZooKeeper,
		LoseReplies, LoseRequests, LateRequest,
	}
)

func (e *faultEnv) anyZkine() *Zkine { return e.Zkines[e.rand.IntN(len(e.Zkines))] }

func (e *faultEnv) anyProxy() *zktest.Proxy { return e.Proxies[e.rand.IntN(len(e.Proxies))] }

// zooKeeper is the server that matters: the only one, or the leader.
func (e *faultEnv) zooKeeper() *zktest.Server {
	if e.ensemble != nil {
		return e.ensemble.Leader()
	}
	return e.ZooKeepers[0]
}

// othersGoOn waits for work that is done without the zkine that is down, if
// there is anyone to do it.
func (e *faultEnv) othersGoOn(ctx context.Context) error {
	if len(e.Zkines) == 1 {
		return nil
	}
	return e.progress(ctx)
}

func killZkine(ctx context.Context, e *faultEnv) error {
	if len(e.Zkines) == 1 {
		e.load.linger()
	}
	z := e.anyZkine()
	e.hit(z)
	z.Kill()
	if err := e.othersGoOn(ctx); err != nil {
		return err
	}
	return z.Start()
}

func killAllZkines(_ context.Context, e *faultEnv) error {
	e.load.linger()
	e.hit(e.Zkines...)
	e.Kill()
	for _, z := range e.Zkines {
		if err := z.Start(); err != nil {
			return err
		}
	}
	return nil
}

func freezeZkine(ctx context.Context, e *faultEnv) error {
	return e.outlast(ctx, e.anyZkine())
}

// outlast freezes a zkine until its session is over.
func (e *faultEnv) outlast(ctx context.Context, z *Zkine) error {
	e.hit(z)
	z.Freeze()
	if err := e.observer.AwaitAbsent(ctx, z.Name); err != nil {
		return err
	}
	if err := e.othersGoOn(ctx); err != nil {
		return err
	}
	z.Thaw()
	return nil
}

func killZooKeeper(ctx context.Context, e *faultEnv) error {
	return e.killServer(ctx, e.zooKeeper())
}

func (e *faultEnv) killServer(ctx context.Context, server *zktest.Server) error {
	e.hitServers(ctx, server)
	e.calmTheLone()
	server.Kill()
	if err := e.awaitOutage(ctx); err != nil {
		return err
	}
	server.Restart()
	return nil
}

func blinkZooKeeper(ctx context.Context, e *faultEnv) error {
	server := e.zooKeeper()
	e.hitServers(ctx, server)
	e.calmTheLone()
	server.Restart() // kills it first
	return nil
}

func freezeZooKeeper(ctx context.Context, e *faultEnv) error {
	return e.freezeServer(ctx, e.zooKeeper())
}

func (e *faultEnv) freezeServer(ctx context.Context, server *zktest.Server) error {
	e.hitServers(ctx, server)
	e.calmTheLone()
	server.Pause()
	if err := e.awaitOutage(ctx); err != nil {
		return err
	}
	server.Resume()
	return nil
}

// calmTheLone lets clients linger, if there is but one ZooKeeper, without which
// nobody is served.
func (e *faultEnv) calmTheLone() {
	if e.ensemble == nil {
		e.load.linger()
	}
}

// awaitOutage waits until no zkine can serve; with an ensemble, until all have
// found another server and clients make progress.
func (e *faultEnv) awaitOutage(ctx context.Context) error {
	if e.ensemble == nil {
		return e.AwaitUnready(ctx)
	}
	if err := e.AwaitReady(ctx); err != nil {
		return err
	}
	return e.progress(ctx)
}

func loseReplies(ctx context.Context, e *faultEnv) error {
	return springTraps(ctx, e, func(p *zktest.Proxy) *zktest.Trap { return p.LoseReply(zktest.OpMulti) })
}

func loseRequests(ctx context.Context, e *faultEnv) error {
	return springTraps(ctx, e, func(p *zktest.Proxy) *zktest.Trap { return p.LoseRequest(zktest.OpMulti) })
}

// springTraps sets traps for one zkine's writes, one after the other.
func springTraps(ctx context.Context, e *faultEnv, set func(*zktest.Proxy) *zktest.Trap) error {
	proxy := e.anyProxy()
	for range 4 + e.rand.IntN(5) {
		trap := set(proxy)
		select {
		case <-trap.Caught():
		case <-ctx.Done():
			return fmt.Errorf("a trap for a write waited in vain: %w", context.Cause(ctx))
		}
	}
	return nil
}

func lateRequest(ctx context.Context, e *faultEnv) error {
	trap := e.anyProxy().HoldRequest(zktest.OpMulti)
	select {
	case <-trap.Caught():
	case <-ctx.Done():
		return fmt.Errorf("a trap for a write waited in vain: %w", context.Cause(ctx))
	}
	if err := e.progress(ctx); err != nil {
		return err
	}
	trap.Release()
	return nil
}
