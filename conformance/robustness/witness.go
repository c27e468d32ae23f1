package robustness

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"

	"github.com/anishathalye/porcupine"
	"go.etcd.io/etcd/tests/v3/robustness/model"
)

// CheckWitness is a judge of our own, beside etcd's: it takes the log as the
// order in which operations took effect, and checks that this order explains
// what every client was told and does not contradict the clock. Where porcupine
// searches for some order that does, and may search for very long after many
// unclear operations, the log is the witness that there is one.
//
//   - A write is in the log, at the revision that its client was told, and does
//     there what its client was told.
//   - A read shows the state at the revision that it asked for, or else that
//     its client was told.
//   - Whoever calls after another was answered is told no older revision, and a
//     newer one if it writes.
//   - Nobody is told of a revision before its write was called.
//
// It uses etcd's model for what requests do.
func CheckWitness(c Case) error {
	w := newWitness(c.Requests)
	var told []testimony
	for _, r := range c.Reports {
		for _, op := range r.KeyValue {
			t := testimony{op, op.Input.(model.EtcdRequest), op.Output.(model.MaybeEtcdResponse), false}
			w.noteCall(t)
			if t.out.Error == "" && t.out.ClientError == "" && t.out.Revision > 0 {
				told = append(told, t)
			}
		}
	}
	for rev := 1; rev < len(w.called); rev++ {
		w.called[rev] = max(w.called[rev], w.called[rev-1])
	}
	for i := range told {
		if err := w.check(&told[i]); err != nil {
			return fmt.Errorf("%v: %w", &told[i], err)
		}
	}
	return checkClock(told)
}

// testimony is an operation and what its client was told.
type testimony struct {
	porcupine.Operation
	in  model.EtcdRequest
	out model.MaybeEtcdResponse
	// wrote says that it made its revision; check finds out.
	wrote bool
}

func (t *testimony) String() string {
	return model.NonDeterministicModel(nil).DescribeOperation(t.in, t.out)
}

// witness is the log, executed by the model.
type witness struct {
	// states are, by revision, the states at it: the first as its write left it,
	// the others after requests that made no revision.
	states [][]model.EtcdState
	// puts are the revisions of writes, by what they put. etcd's traffic puts
	// each value once.
	puts map[model.PutOptions]int64
	// called is when each revision's write was called, as far as known; once
	// all calls are noted, the latest of it and all before.
	called []int64
}

func newWitness(requests []model.EtcdRequest) *witness {
	w := &witness{states: make([][]model.EtcdState, 2), puts: map[model.PutOptions]int64{}}
	state, _ := model.NewReplay(requests).StateForRevision(1)
	w.states[1] = append(w.states[1], state)
	for _, r := range requests {
		next, _ := state.Step(r)
		if next.Revision != state.Revision {
			w.states = append(w.states, nil)
			if put, ok := knownBy(r); ok {
				w.puts[put] = next.Revision
			}
		}
		w.states[next.Revision] = append(w.states[next.Revision], next)
		state = next
	}
	w.called = make([]int64, len(w.states))
	return w
}

// knownBy is a put by which a write is known, since nobody else puts that.
func knownBy(r model.EtcdRequest) (model.PutOptions, bool) {
	if r.Type != model.Txn {
		return model.PutOptions{}, false
	}
	for _, op := range r.Txn.OperationsOnSuccess {
		if op.Type == model.PutOperation && op.Put.Key != "tombstone" && op.Put.Key != "compact_rev_key" {
			return op.Put, true
		}
	}
	return model.PutOptions{}, false
}

func (w *witness) noteCall(t testimony) {
	if put, ok := knownBy(t.in); ok {
		if rev, ok := w.puts[put]; ok {
			w.called[rev] = t.Call
		}
	}
}

// check explains one answer.
func (w *witness) check(t *testimony) error {
	rev := t.out.Revision
	switch {
	case rev >= int64(len(w.states)):
		return fmt.Errorf("revision %d is not in the log, which ends at %d", rev, len(w.states)-1)
	case w.called[rev] > t.Return:
		return fmt.Errorf("revision %d was shown before its write was called", rev)
	case t.in.Type == model.Range && t.in.Range.Revision != 0:
		return w.checkOld(t)
	}
	if put, ok := knownBy(t.in); ok && w.puts[put] != 0 && (w.puts[put] != rev || t.out.Txn.Failure) {
		return fmt.Errorf("the log has that write at revision %d", w.puts[put])
	}
	// A write that made the revision found the last state before it. All else
	// found a state at it.
	if before := w.states[rev-1]; len(before) > 0 {
		next, answer := before[len(before)-1].Step(t.in)
		if next.Revision == rev && next.Equal(w.states[rev][0]) && model.Match(answer, t.out) {
			t.wrote = true
			return nil
		}
	}
	for _, state := range w.states[rev] {
		if next, answer := state.Step(t.in); next.Revision == rev && model.Match(answer, t.out) {
			return nil
		}
	}
	return fmt.Errorf("neither the write at revision %d nor the state that it left explains that", rev)
}

// checkOld explains what a read at a revision of its own was told.
func (w *witness) checkOld(t *testimony) error {
	at := t.in.Range.Revision
	if at > t.out.Revision {
		return fmt.Errorf("revision %d was read while the store was at %d", at, t.out.Revision)
	}
	now := model.EtcdRequest{Type: model.Range, Range: &model.RangeRequest{RangeOptions: t.in.Range.RangeOptions}}
	if _, answer := w.states[at][0].Step(now); !reflect.DeepEqual(answer.Range, t.out.Range) {
		return fmt.Errorf("that is not the state at revision %d", at)
	}
	return nil
}

// checkClock compares the order of revisions with that of calls and answers.
func checkClock(told []testimony) error {
	byCall, byReturn := slices.Clone(told), slices.Clone(told)
	slices.SortFunc(byCall, func(a, b testimony) int { return cmp.Compare(a.Call, b.Call) })
	slices.SortFunc(byReturn, func(a, b testimony) int { return cmp.Compare(a.Return, b.Return) })
	var newest testimony // of those that were answered so far
	for _, t := range byCall {
		for byReturn[0].Return < t.Call {
			if byReturn[0].out.Revision > newest.out.Revision {
				newest = byReturn[0]
			}
			byReturn = byReturn[1:]
		}
		if t.out.Revision < newest.out.Revision || t.wrote && t.out.Revision == newest.out.Revision {
			return fmt.Errorf("%v was told after %v", &t, &newest)
		}
	}
	return nil
}
