package state

import (
	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/zkine/zkine/revision"
)

// history is the changes by revision. Revisions are dense, so that a revision's
// index in the vector is its distance from firstChange.
type history struct {
	vector[change]
	// replaced is what there was before the revision was raised, oldest first, until
	// all of it is freed. Nothing reads it: all of it is below the floor.
	replaced []vector[change]
}

// firstChange is the first revision that can have changes.
const firstChange revision.Rev = 2

// change is the changes of one revision: nearly always a single one, which is
// then in one; else all of them are in many.
type change struct {
	one  [1]Event
	many *[]Event
}

func (c *change) events() []Event {
	if c.many != nil {
		return *c.many
	}
	return c.one[:]
}

// record adds the changes of the next revision. It keeps no reference to events.
func (h *history) record(events []Event) {
	if len(events) == 1 {
		h.append(change{one: [1]Event{events[0]}})
		return
	}
	many := append([]Event(nil), events...)
	h.append(change{many: &many})
}

// begin makes rev the first revision in an empty history. What is in the same
// chunk before it has no events.
func (h *history) begin(rev revision.Rev) {
	h.first = index(rev) - index(rev)%chunkLen
	h.end = h.first
	for h.end < index(rev) {
		h.append(change{many: &[]Event{}})
	}
}

// raise goes on at a revision that is above the next one.
func (h *history) raise(rev revision.Rev) {
	h.replaced = append(h.replaced, h.vector)
	h.vector = vector[change]{}
	h.begin(rev)
	h.record(nil)
}

// of is the events of rev, which must be in the vector.
func (h *history) of(rev revision.Rev) []Event { return h.at(index(rev)).events() }

// after is the first revision above rev that may have changes, and its events,
// and gives up what was replaced and lies below it. There must be one.
func (h *history) after(rev revision.Rev) (revision.Rev, []Event) {
	part := h.oldest()
	for ; rev >= firstChange+revision.Rev(part.end)-1; part = h.oldest() {
		h.replaced = h.replaced[1:]
	}
	rev = max(rev+1, firstChange+revision.Rev(part.first))
	return rev, part.at(index(rev)).events()
}

func (h *history) oldest() *vector[change] {
	if len(h.replaced) > 0 {
		return &h.replaced[0]
	}
	return &h.vector
}

func index(rev revision.Rev) int { return int(rev - firstChange) }

// Change is what one revision changed.
type Change struct {
	Rev revision.Rev
	// Events are in the order in which the request made them. They are shared:
	// do not change the slice.
	Events []Event
}

// Event is one change of one key. It is immutable and a single word. The zero
// Event is no change.
type Event struct{ v *version }

// Key is the key that changed. It shares the state's memory.
func (e Event) Key() string { return e.v.key }

// Rev is the revision of the change.
func (e Event) Rev() revision.Rev { return e.v.mod }

// IsDelete says whether the key was deleted.
func (e Event) IsDelete() bool { return e.v.tombstone() }

// IsCreate says whether the key was put and did not exist before.
func (e Event) IsCreate() bool { return !e.v.tombstone() && e.v.create == e.v.mod }

// Size is about how large Proto is on the wire.
func (e Event) Size(prevKV bool) int {
	n := e.v.wireLen() + 8
	if prevKV && !e.IsCreate() {
		if p := e.v.before(); p != nil {
			n += p.wireLen() + 4
		}
	}
	return n
}

// Proto is the event as etcd sends it. A DELETE's Kv has only the key and the
// mod_revision. With prevKV, PrevKv is the value of the key one revision
// before: absent for a create, and absent if that revision is below floor, the
// compact revision of the newest view. The bytes that it points to are shared
// and must not change.
func (e Event) Proto(prevKV bool, floor revision.Rev) *mvccpb.Event {
	if prevKV && !e.IsCreate() && e.v.mod-1 >= floor {
		if p := e.v.before(); p != nil {
			return e.withPrev(p)
		}
	}
	both := new(struct {
		event mvccpb.Event
		kv    mvccpb.KeyValue
	})
	e.fill(&both.event, &both.kv)
	return &both.event
}

func (e Event) withPrev(p *version) *mvccpb.Event {
	all := new(struct {
		event    mvccpb.Event
		kv, prev mvccpb.KeyValue
	})
	e.fill(&all.event, &all.kv)
	p.decode(&all.prev)
	all.event.PrevKv = &all.prev
	return &all.event
}

func (e Event) fill(event *mvccpb.Event, kv *mvccpb.KeyValue) {
	e.v.decode(kv)
	event.Kv = kv
	if e.v.tombstone() {
		event.Type = mvccpb.Event_DELETE
	}
}
