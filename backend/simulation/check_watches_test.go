package simulation

import (
	"fmt"

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
	promised := int64(0)
	for _, got := range s.seen {
		switch {
		case got.skipped > 0:
			if got.skipped > r.floor {
				report("compacted at %d, the floor was never above %d", got.skipped, r.floor)
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
		case len(want) == 0 || !sameEvent(got.event, want[0], r.floor):
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
	for rev := max(s.from, 2); rev <= r.current(); rev++ {
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
