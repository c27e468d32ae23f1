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

	"github.com/zkine/zkine/revision"
)

// openLog opens the log on a root as a reader: it never joins, appends or
// rotates.
func openLog(ctx context.Context, servers []string, root string) (*revision.Log, error) {
	quiet := logrus.New()
	quiet.SetOutput(io.Discard)
	log := logrus.NewEntry(quiet)
	return revision.Open(ctx, revision.Config{
		Dialer: &revision.ZooKeeper{
			Servers: servers, Timeout: 2 * SessionTimeout, MaxRequest: revision.DefaultMaxRequest, Log: log,
		},
		Root: root, Name: "judge", Log: log,
	})
}

// ReadLog reads a root's log from its first slot to where it ends now.
func ReadLog(ctx context.Context, servers []string, root string) (*History, error) {
	log, err := openLog(ctx, servers, root)
	if err != nil {
		return nil, fmt.Errorf("open the log at %s: %w", root, err)
	}
	defer log.Close()
	end, err := log.Barrier(ctx)
	if err != nil {
		return nil, fmt.Errorf("find the end of the log at %s: %w", root, err)
	}
	h := newHistory()
	for at := (revision.Seq{}); at.Before(end); {
		slot, err := log.Next(ctx)
		if err != nil {
			return nil, fmt.Errorf("read the log at %s: %w", root, err)
		}
		if err := h.apply(slot); err != nil {
			return nil, err
		}
		at = slot.Seq
	}
	return h, nil
}

// Observer follows a root's log while it grows. It is how a run knows what
// goes on without waiting for time to pass.
type Observer struct {
	log    *revision.Log
	cancel context.CancelCauseFunc
	done   chan struct{}

	mu      sync.Mutex
	history *History
	err     error         // why it stopped following
	changed chan struct{} // closed and replaced when history or err changes
}

// Observe starts to follow. The caller closes the observer.
func Observe(ctx context.Context, servers []string, root string) (*Observer, error) {
	log, err := openLog(ctx, servers, root)
	if err != nil {
		return nil, err
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
			err = o.history.apply(slot)
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
	for {
		o.mu.Lock()
		at, err, changed := o.history.Rev(), o.err, o.changed
		o.mu.Unlock()
		if at >= rev {
			return nil
		}
		if err != nil {
			return fmt.Errorf("the log at revision %d, on the way to %d: %w", at, rev, err)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("the store is at revision %d and does not come to %d: %w", at, rev, context.Cause(ctx))
		}
	}
}

// AwaitAbsent waits until ZooKeeper has ended the session of a member.
func (o *Observer) AwaitAbsent(ctx context.Context, name string) error {
	return poll(ctx, func() error {
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

// Slots returns what was seen so far.
func (o *Observer) Slots() []SlotID {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.history.Slots)
}

// poll asks until there is no error, or ctx ends: then it returns the last one.
func poll(ctx context.Context, ask func() error) error {
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := ask()
		if err == nil {
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("%w (%w)", err, context.Cause(ctx))
		}
	}
}
