package robustness

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/zkine/zkine/conformance/rig"
	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zklog"
)

// openLog opens the log on a root as a reader: it never joins, appends or
// rotates.
func openLog(ctx context.Context, servers []string, root string) (*zklog.Log, error) {
	return zklog.Open(ctx, logConfig(servers, root))
}

func logConfig(servers []string, root string) zklog.Config {
	quiet := logrus.New()
	quiet.SetOutput(io.Discard)
	log := logrus.NewEntry(quiet)
	return zklog.Config{
		Dialer: &zkclient.Ensemble{
			Servers: servers, Timeout: SessionTimeout, MaxRequest: zklog.DefaultMaxRequest, Log: log,
		},
		Root: root, Name: "judge", Log: log,
	}
}

// Observer follows a root's log from its first slot while it grows. It is how a
// run knows what goes on without waiting for time to pass, and what remembers
// the part of the log that was trimmed when the run ends.
type Observer struct {
	log    *zklog.Log
	cancel context.CancelCauseFunc
	done   chan struct{}

	mu      sync.Mutex
	history *History
	ended   []ended       // leases, in order
	err     error         // why it stopped following
	changed chan struct{} // closed and replaced when history or err changes
}

// errOutrun says that the log was trimmed before the observer had read it: a run
// that cannot be judged, whatever zkine did.
var errOutrun = errors.New("the observer was outrun, there is nothing to judge by; run again")

// Observe starts to follow. The caller closes the observer.
func Observe(ctx context.Context, servers []string, root string) (*Observer, error) {
	log, err := openLog(ctx, servers, root)
	if err != nil {
		return nil, err
	}
	if cp, found := log.Checkpoint(); found {
		return nil, errors.Join(fmt.Errorf("the log begins with a checkpoint of segment %d already", cp.Segment), log.Close())
	}
	o := &Observer{log: log, done: make(chan struct{}), history: newHistory(), changed: make(chan struct{})}
	followCtx, cancel := context.WithCancelCause(context.Background())
	o.cancel = cancel
	go o.follow(followCtx)
	return o, nil
}

// Close stops following.
func (o *Observer) Close() {
	o.cancel(errors.New("the observer was closed"))
	<-o.done
	_ = o.log.Close()
}

func (o *Observer) follow(ctx context.Context) {
	defer close(o.done)
	for {
		slot, err := o.log.Next(ctx)
		o.mu.Lock()
		if err == nil {
			known := len(o.history.Expired)
			err = o.history.apply(slot)
			for _, e := range o.history.Expired[known:] {
				o.ended = append(o.ended, ended{Expiry: e, seen: time.Now()})
			}
		}
		o.err = err
		rev := o.history.machine.View().Rev()
		close(o.changed)
		o.changed = make(chan struct{})
		o.mu.Unlock()
		if err != nil {
			return
		}
		o.log.Applied(slot.Seq, rev)
	}
}

// Rev is the newest revision that was seen.
func (o *Observer) Rev() int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.history.Rev()
}

// AwaitRev waits until the store has come to a revision.
func (o *Observer) AwaitRev(ctx context.Context, rev int64) error {
	return o.await(ctx, fmt.Sprint("revision ", rev), func() bool { return o.history.Rev() >= rev })
}

// await waits until the history has come somewhere.
func (o *Observer) await(ctx context.Context, where string, there func() bool) error {
	for {
		o.mu.Lock()
		met, at, err, changed := there(), o.history.Rev(), o.err, o.changed
		o.mu.Unlock()
		if met {
			return nil
		}
		if errors.Is(err, revision.ErrTrimmed) {
			err = fmt.Errorf("%w: %w", errOutrun, err)
		}
		if err != nil {
			return fmt.Errorf("the log at revision %d, on the way to %s: %w", at, where, err)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("the store is at revision %d and does not come to %s: %w", at, where, context.Cause(ctx))
		}
	}
}

// AwaitAbsent waits until ZooKeeper has ended the session of a member.
func (o *Observer) AwaitAbsent(ctx context.Context, name string) error {
	return rig.Poll(ctx, func() error {
		members, err := o.log.Members(ctx)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(members, func(m revision.Member) bool { return m.Name == name }) {
			return fmt.Errorf("member %s is still there", name)
		}
		return nil
	})
}

// ended is a lease's end and when it was seen.
type ended struct {
	Expiry
	seen time.Time
}

// Ended returns the leases that were seen to expire so far.
func (o *Observer) Ended() []ended {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.ended)
}

// Keeper is the name of the keeper.
func (o *Observer) Keeper(ctx context.Context) (string, error) {
	members, err := o.log.Members(ctx)
	if err != nil {
		return "", err
	}
	if len(members) == 0 {
		return "", errors.New("there are no members")
	}
	return members[0].Name, nil
}

// End follows to where the log ends now, stops, and returns the whole of it.
func (o *Observer) End(ctx context.Context) (*History, error) {
	end, err := o.log.Barrier(ctx)
	if err != nil {
		return nil, fmt.Errorf("find the end of the log: %w", err)
	}
	err = o.await(ctx, fmt.Sprint("the log's end, ", end), func() bool { return !o.history.last().Before(end) })
	if err != nil {
		return nil, err
	}
	o.cancel(errors.New("the log was read to its end"))
	<-o.done
	return o.history, nil
}
