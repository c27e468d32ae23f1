package simulation

import (
	"context"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zklog"
)

// observed is a log that the world watches keep its word (see backend.Log), and
// that lies about who the keeper is if the world wants more than one.
type observed struct {
	*zklog.Log
	l *life
}

func (o *observed) Next(ctx context.Context) (revision.Slot, error) {
	slot, err := o.Log.Next(ctx)
	if err == nil {
		o.l.z.w.truth.delivered(o.l, slot)
	}
	return slot, err
}

func (o *observed) Append(ctx context.Context, batch *revision.Batch) (revision.Appended, error) {
	a := o.l.z.w.truth.appending(o.l, batch)
	out, err := o.Log.Append(ctx, batch)
	o.l.z.w.truth.appended(a, out, err)
	return out, err
}

func (o *observed) Barrier(ctx context.Context) (revision.Seq, error) {
	t := o.l.z.w.truth
	before := t.last()
	seq, err := o.Log.Barrier(ctx)
	if err == nil && seq.Before(before) && !t.hasLost() {
		o.l.z.w.fail("%s: a barrier showed %v to be current, though %v was there before it", o.l.z.name, seq, before)
	}
	return seq, err
}

func (o *observed) Reload(ctx context.Context) error {
	err := o.Log.Reload(ctx)
	o.l.reloaded = err == nil
	return err
}

func (o *observed) Members(ctx context.Context) ([]revision.Member, error) {
	members, err := o.Log.Members(ctx)
	if err != nil || !o.l.z.w.profile.twoKeepers {
		return members, err
	}
	for i, m := range members {
		if m.ID == o.l.member() {
			members[0], members[i] = members[i], members[0]
		}
	}
	return members, nil
}
