package simulation

import (
	"context"
	"errors"

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
	before := o.l.z.w.truth.last()
	seq, err := o.Log.Barrier(ctx)
	o.judge(before, seq, err)
	return seq, err
}

func (o *observed) Take() (revision.Slot, bool) {
	slot, here := o.Log.Take()
	if here {
		o.l.z.w.truth.delivered(o.l, slot)
	}
	return slot, here
}

func (o *observed) TakeOwn(nonce revision.Nonce) (revision.Slot, bool) {
	slot, here := o.Log.TakeOwn(nonce)
	if here {
		o.l.z.w.truth.delivered(o.l, slot)
	}
	return slot, here
}

func (o *observed) Begin(ctx context.Context, batch *revision.Batch, done func(revision.Appended, error)) bool {
	t := o.l.z.w.truth
	a := t.appending(o.l, batch)
	sent := o.Log.Begin(ctx, batch, func(out revision.Appended, err error) {
		t.appended(a, out, err)
		done(out, err)
	})
	if !sent {
		t.appended(a, revision.Appended{}, errNotSent)
	}
	return sent
}

var errNotSent = errors.New("simulation: it was not sent")

func (o *observed) BeginBarrier(ctx context.Context, done func(revision.Seq, error)) bool {
	before := o.l.z.w.truth.last()
	return o.Log.BeginBarrier(ctx, func(seq revision.Seq, err error) {
		o.judge(before, seq, err)
		done(seq, err)
	})
}

// judge says whether a barrier was behind what was there before it.
func (o *observed) judge(before, seq revision.Seq, err error) {
	if err == nil && seq.Before(before) && !o.l.z.w.truth.hasLost() {
		o.l.z.w.fail("%s: a barrier showed %v to be current, though %v was there before it", o.l.z.name, seq, before)
	}
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
