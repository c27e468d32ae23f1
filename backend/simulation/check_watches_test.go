package simulation

import (
	"fmt"
	"slices"

	"go.etcd.io/etcd/api/v3/mvccpb"
)

// checkWatches walks each watcher's story along the log: the same events in the
// same order, none skipped but what a compaction cut off, each with the value
// before it, and none at or below a revision that was promised to be delivered.
func checkWatches(r *replayed, h *history) (wrong []string) {
	for i, s := range h.watches {
		report := func(format string, args ...any) {
			wrong = append(wrong, fmt.Sprintf("watcher %d of %q: ", i, s.key)+fmt.Sprintf(format, args...))
		}
		s.check(r, report)
	}
	return wrong
}

func (s *watched) check(r *replayed, report func(string, ...any)) {
	want := s.events(r)
	next, promised := s.from, int64(0)
	for _, got := range s.seen {
		floor := r.floorAt(got.at)
		if to := r.lostOn(next, got.rev()); to > 0 && got.skipped == 0 {
			report("waited for %d and saw %d, and was not told that the revision was raised to %d", next, got.rev(), to)
		}
		next = max(next, got.rev()+1)
		switch {
		case got.skipped > 0:
			next = max(s.from, got.skipped)
			if got.skipped > floor {
				report("compacted at %d, the floor was not above %d until %v", got.skipped, floor, got.at)
			}
			for len(want) > 0 && want[0].Kv.ModRevision < got.skipped {
				want = want[1:]
			}
		case got.promised > 0:
			promised = max(promised, got.promised)
			if len(want) > 0 && want[0].Kv.ModRevision <= promised {
				report("promised all up to %d, but %d was not there yet", promised, want[0].Kv.ModRevision)
				return
			}
		case len(want) == 0 || !sameEvent(got.event, want[0], floor):
			report("saw %s, should have seen %s", showEvent(got.event), showFirst(want))
			return
		default:
			want = want[1:]
		}
	}
	if len(want) > 0 && want[0].Kv.ModRevision <= s.end {
		report("never saw %s", showFirst(want))
	}
}

// events are those that concern the watcher.
func (s *watched) events(r *replayed) (out []*mvccpb.Event) {
	from, _ := slices.BinarySearch(r.revs, s.from)
	for _, rev := range r.revs[from:] {
		for _, e := range r.events[rev] {
			if s.key == "" || string(e.Kv.Key) == s.key {
				out = append(out, e)
			}
		}
	}
	return out
}

// sameEvent compares an event with the log's. The value before it may be
// missing if it was compacted.
func sameEvent(got, want *mvccpb.Event, floor int64) bool {
	if got.Type != want.Type || string(got.Kv.Key) != string(want.Kv.Key) || got.Kv.ModRevision != want.Kv.ModRevision {
		return false
	}
	if got.Type == mvccpb.Event_PUT && !sameKV(got.Kv, want.Kv) {
		return false
	}
	switch {
	case got.PrevKv != nil:
		return want.PrevKv != nil && sameKV(got.PrevKv, want.PrevKv)
	default:
		return want.PrevKv == nil || want.Kv.ModRevision-1 < floor
	}
}

func showEvent(e *mvccpb.Event) string {
	return fmt.Sprintf("%v %s at %d (%.12q, before it %.12q)", e.Type, e.Kv.Key, e.Kv.ModRevision, e.Kv.Value, e.PrevKv.GetValue())
}

func showFirst(events []*mvccpb.Event) string {
	if len(events) == 0 {
		return "nothing"
	}
	return showEvent(events[0])
}
