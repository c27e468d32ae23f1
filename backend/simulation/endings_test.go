package simulation

import (
	"context"
	"errors"
	"fmt"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/revision"
)

// backup is the ensemble as it was at a moment.
type backup struct {
	restore func()
	last    revision.Seq // the last slot that it has
}

// keepBackups takes one now and then.
func (w *world) keepBackups() {
	w.backups = append(w.backups, backup{w.e.Save(), w.truth.last()})
	w.after(w.between(0, time.Second), w.keepBackups)
}

// endInLoss puts the ensemble back to what it was a while ago, and lets a zkine
// that knows nothing of it write on from there. Every zkine that had applied
// more must stop and say why, and never show what happened after the loss; and
// unless all are hindered, no other zkine serves then, nor starts.
func (w *world) endInLoss() {
	// In every other world no halt gets through: each zkine must find out for
	// itself, and the newcomer writes on.
	w.mute = w.oneIn(2)
	lost := w.backups[max(0, len(w.backups)-1-w.rng.IntN(6))]
	w.truth.lose(lost.last)
	w.dialedBeforeLoss = w.dialed
	w.trace.event(w.now(), "ensemble", fmt.Sprintf("loses what came after %v", lost.last))
	var ahead []*life
	for _, z := range w.zkines {
		if v := z.life.lastView(); v != nil && lost.last.Before(v.Seq()) && !z.life.dead {
			w.mu.Lock()
			z.life.ahead = true
			w.mu.Unlock()
			ahead = append(ahead, z.life)
			if w.oneIn(2) {
				w.freeze(z, w.between(0, 3*sessionTimeout)) // the others are faster
			}
		}
	}
	lost.restore()
	for _, n := range append([]*conn(nil), w.conns...) {
		n.queue, n.replies, n.expired = nil, nil, true
		n.life.z.whenAwake(func() { w.sever(n) })
	}
	w.conns = nil
	// What came back includes the ephemerals of sessions whose zkines have died
	// since.
	w.after(sessionTimeout+w.between(0, time.Second), func() {
		w.e.EndAbandoned()
		w.fireWatches()
	})
	w.newcomer()
	stopped := func() bool {
		for _, l := range ahead {
			if l.why() == nil && !l.dead && l.isAhead() {
				return false
			}
		}
		return true
	}
	if !w.schedule(soon, stopped) && !w.failed() {
		w.fail("a zkine that knew more than the ensemble does not stop")
	}
	if lost.last != (revision.Seq{}) { // else the root itself may be another one
		w.expectHalt(ahead)
	}
	for _, l := range ahead {
		if why := l.why(); !l.dead && why != nil && !errors.Is(why, revision.ErrLogLost) && (w.mute || !errors.Is(why, revision.ErrHalted)) {
			w.fail("%s stopped for another reason: %v", l.z.name, why)
		}
	}
}

// expectHalt has the zkine that found the loss stop all others, the newcomer too, and
// those that start later.
func (w *world) expectHalt(ahead []*life) {
	found := false
	for _, l := range ahead {
		// One that had not heard yet of an operator's decision before the loss takes it for
		// one after it.
		found = found || !l.dead && errors.Is(l.why(), revision.ErrLogLost) && !errors.Is(l.why(), revision.ErrAccepted)
	}
	// An operator who was under way before the loss accepts the halt as well: one that
	// starts after that serves.
	if w.mute || !found || w.failed() || !w.operatorsDone() {
		return
	}
	w.heal() // a frozen one, or one that is cut off, hears of it later
	w.start(&zkine{w: w, id: len(w.zkines) + 1, name: "y"})
	halted := func() bool {
		for _, l := range w.lives {
			if l.why() == nil && !l.dead {
				return false
			}
		}
		return true
	}
	if !w.schedule(soon, halted) && !w.failed() {
		w.fail("a zkine serves, though another has found that the log went back")
		return
	}
	w.count("halted")
}

// newcomer starts another zkine, which writes a little.
func (w *world) newcomer() {
	z := &zkine{w: w, id: len(w.zkines), name: "z"}
	w.zkines = append(w.zkines, z)
	w.start(z)
	p := w.person("newcomer", 400)
	n := p.rng.IntN(8)
	w.clients.Add(1)
	go func() {
		defer w.clients.Add(-1)
		for i := range n {
			b := z.serving()
			for ; b == nil; b = z.serving() {
				p.rest(time.Second)
				p.w.mu.Lock()
				over := p.w.over
				p.w.mu.Unlock()
				if over {
					return
				}
			}
			ctx, cancel := context.WithTimeout(context.Background(), soon)
			b.Put(ctx, &pb.PutRequest{Key: []byte(p.key()), Value: fmt.Append(nil, "anew/", i)}) //nolint:errcheck // only that it tries
			cancel()
		}
	}()
}

// endInCorruption flips a bit in the memory of one zkine, the keeper if there is
// one, and goes on writing. That one must stop, no other may, and what it has
// stored until then must harm no other.
func (w *world) endInCorruption() {
	if !w.schedule(soon, w.allServe) {
		w.fail("not all zkines serve again")
		return
	}
	var harmed *life
	w.finish("a bit flips", func(p *person) {
		for i := 0; harmed == nil; i++ {
			l, b := p.reach()
			if b.Status().Leader != l.member() && p.rng.IntN(5) > 0 {
				p.rest(time.Second)
				continue
			}
			ctx, cancel := context.WithTimeout(context.Background(), soon)
			r, err := b.Range(ctx, &pb.RangeRequest{Key: []byte(keys[0])})
			cancel()
			if err != nil {
				continue
			}
			if len(r.Kvs) == 0 { // again: this put may come to nothing
				p.perform(&op{kind: opPut, key: keys[0], value: fmt.Sprint("healthy/", i)})
			} else {
				w.mu.Lock()
				l.harmed = true
				w.mu.Unlock()
				r.Kvs[0].Value[0] ^= 1 // it shares the state's memory
				harmed = l
			}
		}
		for i := range 10 {
			p.perform(&op{kind: opPut, key: keys[1], value: fmt.Sprint("after the flip/", i)})
			p.rest(300 * time.Millisecond)
		}
	})
	if harmed == nil {
		return
	}
	w.trace.event(w.now(), harmed.z.name, "was harmed")
	// The next round of digests finds it. Where no segment ends, that may be a
	// whole interval away.
	if !w.schedule(w.profile.digests+soon, func() bool { return harmed.why() != nil }) {
		if !w.failed() {
			w.fail("%s, whose memory was damaged, does not stop", harmed.z.name)
		}
		return
	}
	w.start(harmed.z) // as its supervisor would
}
