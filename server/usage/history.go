package usage

import (
	"cmp"
	"math"
	"slices"
	"sync"
	"time"
)

const (
	// historySeconds is how far back a report may look.
	historySeconds = 60
	// historyWidth is how many things a second of history holds.
	historyWidth = 256
	// shortest is how short a second may be: a report ends one early, so that it is up
	// to date.
	shortest = 250 * time.Millisecond
	// weightHalf is after what time a weight has halved.
	weightHalf = 30 * time.Second
)

// history is what a table has counted in the last historySeconds.
type history[L any] struct {
	table *table[L]

	mu sync.Mutex
	// seconds are the newest last. They end where the next one begins.
	seconds []second[L]
	// end is when the last one ends.
	end time.Time
}

// second is about one, and what was counted in it.
type second[L any] struct {
	begin time.Time
	all   []counted[L]
	other Totals
}

func newHistory[L any](t *table[L], now time.Time) *history[L] {
	return &history[L]{table: t, end: now}
}

// close ends the second that is under way, unless it has hardly begun.
func (h *history[L]) close(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closeLocked(now)
}

func (h *history[L]) closeLocked(now time.Time) {
	took := now.Sub(h.end)
	if took < shortest {
		return
	}
	all, other := h.table.close(math.Exp2(-took.Seconds() / weightHalf.Seconds()))
	if len(all) > historyWidth {
		slices.SortFunc(all, func(a, b counted[L]) int { return cmp.Compare(b.weight(), a.weight()) })
		for _, c := range all[historyWidth:] {
			other.add(&c.Totals)
		}
		all = slices.Clone(all[:historyWidth])
	}
	h.seconds = append(h.seconds, second[L]{h.end, all, other})
	h.end = now
	old := 0
	for old < len(h.seconds)-1 && now.Sub(h.seconds[old+1].begin) >= historySeconds*time.Second {
		old++
	}
	h.seconds = slices.Delete(h.seconds, 0, old)
}

// since is what was counted over about an interval until now, by name, and how long it
// was.
func (h *history[L]) since(interval time.Duration, now time.Time) (by map[string]*counted[L], other Totals, took time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closeLocked(now)
	by = make(map[string]*counted[L])
	for i := len(h.seconds) - 1; i >= 0; i-- {
		s := h.seconds[i]
		// The second at the border is in if more than half of it is.
		if i < len(h.seconds)-1 && h.end.Sub(s.begin)-interval > h.seconds[i+1].begin.Sub(s.begin)/2 {
			break
		}
		took = h.end.Sub(s.begin)
		other.add(&s.other)
		for _, c := range s.all {
			if sum := by[c.thing.name]; sum != nil {
				sum.add(&c.Totals)
			} else {
				by[c.thing.name] = &c
			}
		}
	}
	return by, other, took
}
