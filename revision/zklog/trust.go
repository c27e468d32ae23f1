package zklog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zkroot"
)

// mayServe returns ErrHalted if the root is halted, and else notes which
// decision is the latest. The connection must have been shown to recognise the
// log.
func (l *Log) mayServe(ctx context.Context, conn zkclient.Conn) error {
	r, _, err := l.on(conn).Trust(ctx)
	if err != nil {
		return err
	}
	if h := r.Halt; h != nil {
		return fmt.Errorf("%w: %s on %s, which had served revision %d, found at %s: %s; see docs/operations.md, \"The log went back\"",
			revision.ErrHalted, h.By, h.Host, h.Revision, h.At.UTC().Format(time.RFC3339), h.Found)
	}
	l.noteAccepted(r.Number())
	return nil
}

func (l *Log) noteAccepted(number int64) {
	for {
		known := l.accepted.Load()
		if number <= known || l.accepted.CompareAndSwap(known, number) {
			return
		}
	}
}

// unlessAccepted adds to the finding that the log went back that a person has
// decided since: then it is not to be halted for that again.
func (l *Log) unlessAccepted(ctx context.Context, conn zkclient.Conn, lost error) error {
	if id, err := l.on(conn).Format(ctx); err != nil || id != l.clusterID {
		return lost
	}
	r, _, err := l.on(conn).Trust(ctx)
	if err != nil || r.Halt != nil || r.Number() <= l.accepted.Load() {
		return lost
	}
	return fmt.Errorf("%w: %w; start again to serve it", revision.ErrAccepted, lost)
}

// haltTimeout bounds the attempt to leave a halt.
const haltTimeout = 5 * time.Second

// haltRetry is the pause after an attempt that has failed.
const haltRetry = 50 * time.Millisecond

// haltOthers waits until the log has failed, and leaves a halt in the root if it
// went back.
func (l *Log) haltOthers() {
	<-l.session.Failed()
	why := l.session.Failure()
	if !errors.Is(why, revision.ErrLogLost) || errors.Is(why, revision.ErrAccepted) {
		return
	}
	ctx, cancel := context.WithTimeoutCause(context.Background(), haltTimeout, errors.New("it took too long"))
	defer cancel()
	left, err := l.leaveHalt(ctx, why)
	switch {
	case err != nil:
		l.cfg.Log.WithError(err).Warnf("%s could not be written: other zkines, and those that start without what this one remembers, may serve what the root holds now", l.layout.Trust())
	case left:
		l.cfg.Log.Errorf("the root is halted by %s: no zkine serves it until a person decides, with zkine log accept", l.layout.Trust())
	}
}

// leaveHalt tries on new connections until it is done or ctx ends. left is false
// if nothing was to be written: the root is gone, or another cluster's, or a
// person has decided meanwhile.
func (l *Log) leaveHalt(ctx context.Context, why error) (left bool, err error) {
	for {
		left, err = l.leaveHaltOnce(ctx, why)
		if err == nil || revision.Fatal(err) || ctx.Err() != nil {
			return left, err
		}
		select {
		case <-time.After(haltRetry):
		case <-ctx.Done():
			return false, err
		}
	}
}

func (l *Log) leaveHaltOnce(ctx context.Context, why error) (left bool, err error) {
	conn, err := l.cfg.Dialer.Dial(ctx)
	if err != nil {
		return false, err
	}
	defer conn.Close()
	err = l.on(conn).Barrier(ctx)
	if err == nil {
		var id uint64
		if id, err = l.on(conn).Format(ctx); err == nil && id != l.clusterID {
			return false, nil
		}
	}
	if errors.Is(err, zk.ErrNoNode) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	r, version, err := l.on(conn).Trust(ctx)
	switch {
	case err != nil:
		return false, err
	case r.Halt != nil:
		return true, nil
	case r.Number() > l.accepted.Load():
		return false, nil
	}
	r.Halt = l.newHalt(why)
	return true, zkroot.WriteTrust(ctx, conn, l.layout, r, version)
}

func (l *Log) newHalt(why error) *zkroot.Halt {
	served := l.Served()
	found, _, _ := strings.Cut(strings.TrimPrefix(why.Error(), revision.ErrLogLost.Error()+": "), "; ")
	host, _ := os.Hostname()
	return &zkroot.Halt{By: l.cfg.Name, Host: host, At: time.Now().UTC(), Revision: served.Revision,
		Segment: served.Segment, Slot: served.Slot, Accepted: served.Accepted, Found: found[:min(len(found), zkroot.MaxFound)]}
}

// Distrust ends the log because its caller has found, by the state that it makes,
// that it went back.
func (l *Log) Distrust(err error) { l.session.Fail(err) }
