package simulation

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/sirupsen/logrus"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zklog"
	"github.com/zkine/zkine/revision/zkroot"
)

// raise is that an operator has the revision raised, as zkine log accept does. The
// manual has them stop the zkines before, and nothing makes them.
type raise struct {
	at      time.Duration
	by      revision.Rev
	stopped bool
}

// drawRaises gives every third world one or two. Worlds without are as they were before
// there were any.
func (p *profile) drawRaises(rng *rand.Rand) {
	if rng.IntN(3) > 0 {
		return
	}
	for range 1 + rng.IntN(2) {
		p.raises = append(p.raises, raise{
			at: time.Duration(rng.Int64N(int64(3 * time.Second))),
			// The smallest may be below what was written since the operator looked.
			by:      []revision.Rev{1, 2, 300, 1_000_000_000, 1 << 40}[rng.IntN(5)],
			stopped: rng.IntN(2) == 0,
		})
	}
}

func (w *world) expectRaises() {
	for i, r := range w.profile.raises {
		w.at(r.at, func() { w.raise(i, r) })
	}
}

// raise sends an operator, whose way to the ensemble is no better than a zkine's.
func (w *world) raise(i int, r raise) {
	if w.calm || w.over || w.truth.hasLost() {
		return
	}
	z := &zkine{w: w, id: 1000 + i, name: fmt.Sprint("operator", i), operator: true}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	l := &life{z: z, number: 1, died: make(chan struct{}), ended: make(chan struct{}), cancel: cancel}
	z.life = l
	w.lives = append(w.lives, l)
	w.trace.event(w.now(), z.name, fmt.Sprintf("raises the revision: %+v", r))
	if r.stopped {
		w.operators = append(w.operators, l)
		for _, z := range w.zkines {
			w.crash(z.life)
		}
	}
	go func() {
		defer w.poke()
		defer close(l.ended)
		l.accept(ctx, r)
		w.mu.Lock()
		l.dead = true
		w.mu.Unlock()
	}()
}

// keptDown says whether an operator has yet to start the zkines again.
func (w *world) keptDown() bool {
	for _, l := range w.operators {
		if !isClosed(l.ended) {
			return true
		}
	}
	return false
}

// revive begins another life, once no operator keeps all of them down.
func (w *world) revive(z *zkine) {
	switch {
	case w.over:
	case w.keptDown():
		w.after(w.between(0, time.Second), func() { w.revive(z) })
	default:
		w.start(z)
	}
}

// operatorsDone says whether all of them have ended.
func (w *world) operatorsDone() bool {
	for _, l := range w.lives {
		if l.z.operator && !isClosed(l.ended) {
			return false
		}
	}
	return true
}

// accept does what zkine log accept does, first without and then with the id of the
// cluster, and notes what became of it.
func (l *life) accept(ctx context.Context, r raise) {
	w := l.z.w
	quiet := logrus.New()
	quiet.SetLevel(logrus.PanicLevel)
	cfg := zklog.Config{Dialer: &hesitant{dialer: dialer{l}, rng: rand.New(rand.NewPCG(w.seed, uint64(l.z.id)+7000))}, Root: "/zkine", Log: logrus.NewEntry(quiet)}
	h, err := zklog.Look(ctx, cfg)
	if err != nil {
		w.noteRaise("nothing raised", nil)
		return
	}
	cfg.ClusterID = uint64(h.ClusterID)
	made := &raised{began: w.now(), nonce: revision.DrawNonce(l.source(0))}
	attempt := w.truth.appending(l, &revision.Batch{Nonce: made.nonce})
	h, err = zklog.Accept(ctx, cfg, zkroot.Decision{By: l.z.name, Raise: r.by, Random: bytes.NewReader(made.nonce[:])})
	made.ended = w.now()
	switch {
	case err == nil:
		made.to = int64(h.Decided.RaisedTo)
		if r.stopped || w.profile.leases.wanted == nil {
			// One that holds a read lease may answer as of before until it hears of the slot, or
			// the lease ends: no other zkine shows it before that, and no client asked for it.
			w.seen(made.to)
		}
		w.noteRaise("raised", made)
	case errors.Is(err, errLost), errors.Is(err, errCrashed), ctx.Err() != nil:
		w.noteRaise("raised or not", nil)
	default:
		w.truth.appended(attempt, revision.Appended{}, err)
		w.noteRaise("not raised", nil)
	}
}

// hesitant is an operator's way to the ensemble. Each write comes a while after what was
// read for it, so that zkines write in between.
type hesitant struct {
	dialer
	rng *rand.Rand
}

func (h *hesitant) Dial(ctx context.Context) (zkclient.Conn, error) {
	conn, err := h.dialer.Dial(ctx)
	if err != nil {
		return nil, err
	}
	return &hesitantConn{conn, h.rng}, nil
}

type hesitantConn struct {
	zkclient.Conn
	rng *rand.Rand
}

func (c *hesitantConn) Multi(ctx context.Context, ops ...any) ([]zk.MultiResponse, error) {
	time.Sleep(time.Duration(1 + c.rng.Int64N(int64(300*time.Millisecond))))
	return c.Conn.Multi(ctx, ops...)
}

// noteRaise counts what became of one; made is nil if its operator was not told that it
// was.
func (w *world) noteRaise(what string, made *raised) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.raisings[what]++
	if made != nil {
		w.history.raises = append(w.history.raises, made)
	}
}
