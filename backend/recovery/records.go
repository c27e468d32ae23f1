package recovery

import (
	"context"

	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
)

// Record is a request of the log.
type Record struct {
	Slot *Slot
	// Request belongs to the log and must not change; nil for a batch that was sent
	// twice, which does nothing the second time.
	Request *recordpb.Request
	// Revision is the state's after the request, and Changes what it has changed: none
	// if it did nothing, for the reason Err, which may be nil. They are known if the
	// log was replayed.
	Revision revision.Rev
	Changes  []Change
	Err      error
}

// Records tells the requests of a past, in order. With replay it makes the state that
// they lead to, which takes its memory, and tells what became of each; else it holds a
// slot or a pack at a time. An error of tell ends it and is returned; others are the
// past's.
func Records(ctx context.Context, p *Past, replay bool, tell func(*Record) error) error {
	var r replayer
	if replay {
		m, err := begin(ctx, p)
		if err != nil {
			return err
		}
		r.m = m
	}
	for slot, err := range p.Slots(ctx) {
		if err != nil {
			return err
		}
		if err := r.tell(&slot, tell); err != nil {
			return err
		}
	}
	return nil
}

// tell tells the requests of a slot.
func (r *replayer) tell(slot *Slot, tell func(*Record) error) error {
	if r.m == nil {
		for _, request := range slot.Requests {
			if err := tell(&Record{Slot: slot, Request: request}); err != nil {
				return err
			}
		}
		return nil
	}
	told := false
	for s := range r.apply(slot) {
		told = true
		record := &Record{Slot: slot, Request: s.request, Revision: s.rev, Err: s.err}
		if s.changed {
			record.Changes = s.changes()
		}
		if err := tell(record); err != nil {
			return err
		}
	}
	if !told && len(slot.Requests) > 0 {
		return tell(&Record{Slot: slot, Revision: r.m.View().Rev()})
	}
	return nil
}

// changes are what a request has changed.
func (s *step) changes() (all []Change) {
	made, found := s.view.Change(s.rev)
	if !found {
		return nil // as of a revision that was raised
	}
	for _, e := range made.Events {
		all = append(all, changeOf(s, e))
	}
	return all
}

func changeOf(s *step, e state.Event) Change {
	c := Change{Member: s.slot.Writer(), User: s.request.GetHeader().GetUsername(), Txn: s.request.GetTxn() != nil, Seq: s.slot.Seq}
	c.Time, c.Clock = s.slot.Written()
	if e.IsDelete() {
		c.Kind = deletion(s.request)
	}
	c.describe(e.Proto(false, 0).Kv, e.IsCreate())
	return c
}
