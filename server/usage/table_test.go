package usage

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// exact counts everything, however much there is.
type exact map[string]*Totals

func (e exact) add(name string, c *Totals) {
	if e[name] == nil {
		e[name] = new(Totals)
	}
	e[name].add(c)
}

func seeded(t *testing.T) *rand.Rand {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

func noResource(string) *resource { return nil }

func same(name string) string { return name }

// TestTableIsExactWhileThereIsRoom compares with exact counts.
func TestTableIsExactWhileThereIsRoom(t *testing.T) {
	random, all, want := seeded(t), newTable(tableSize, same, noResource), exact{}
	for range 20_000 {
		name := fmt.Sprint(random.IntN(200))
		c := Totals{Writes: random.Int64N(3), BytesWritten: random.Int64N(1000), Reads: random.Int64N(2)}
		all.add([]byte(name), &c, nil)
		want.add(name, &c)
	}
	got := exact{}
	all.each(func(e *thing[string]) { got.add(e.name, &e.total) }, func(*resource, *sums) { t.Fatal("something was forgotten") })
	require.Equal(t, want, got)
}

// TestTableIsBoundedAndLosesNothing floods a table with names while some are busy: their
// share of the weight keeps them in it, and what is forgotten is in the sums.
func TestTableIsBoundedAndLosesNothing(t *testing.T) {
	const size = 256 // 16 a shard, so that the busy ones have room though all fall into one
	random, all, want := seeded(t), newTable(size, same, noResource), exact{}
	h := newHistory(all, time.Now())
	at := h.end
	var sum, inHistory Totals
	for i := range 50_000 {
		name, c := fmt.Sprint("rare", i), Totals{Reads: 1, BytesRead: random.Int64N(100)}
		if n := random.IntN(10); n < 8 {
			name = fmt.Sprint("busy", n)
		}
		all.add([]byte(name), &c, nil)
		want.add(name, &c)
		sum.add(&c)
		if i%1000 == 999 {
			at = at.Add(time.Second)
			h.close(at)
		}
	}
	by, other, took := h.since(MaxInterval, at)
	require.Equal(t, 50*time.Second, took)
	for _, c := range by {
		inHistory.add(&c.Totals)
	}
	inHistory.add(&other)
	require.Equal(t, sum, inHistory, "the history has everything")
	var kept Totals
	names := 0
	all.each(func(e *thing[string]) {
		names++
		kept.add(&e.total)
		if e.name[:4] == "busy" {
			// It came first when the table had room, and was never the least busy one.
			require.Equal(t, *want[e.name], e.total)
		}
	}, func(_ *resource, s *sums) { kept.add(&s.Totals) })
	require.Equal(t, sum, kept, "the table has everything")
	require.LessOrEqual(t, names, size)
	for n := range 8 {
		name := fmt.Sprint("busy", n)
		require.NotNil(t, all.shard([]byte(name)).things[name], "%s was forgotten", name)
		require.Equal(t, *want[name], by[name].Totals)
	}
}

// TestTableTakesUpWhatBecomesBusy has a new name stay although the table is full of ones
// that were busy once.
func TestTableTakesUpWhatBecomesBusy(t *testing.T) {
	all := newTable(tableShards, same, noResource) // one a shard
	h := newHistory(all, time.Now())
	at := h.end
	all.add([]byte("old"), &Totals{Reads: 1000}, nil)
	s := all.shard([]byte("old"))
	fresh := ""
	for i := 0; fresh == ""; i++ {
		if name := fmt.Sprint("new", i); all.shard([]byte(name)) == s {
			fresh = name
		}
	}
	all.add([]byte(fresh), &Totals{Reads: 1}, nil)
	require.Contains(t, s.things, fresh)
	at = at.Add(2 * weightHalf)
	h.close(at)
	require.InDelta(t, 1000.0/4+1, s.things[fresh].weight, 1, "it has inherited what is left of the other's weight")
	require.Equal(t, int64(1), s.things[fresh].total.Reads, "but not what it has counted")
	require.Equal(t, int64(1000), s.other[nil].Reads)
}

// TestForgottenWatchersAreCounted opens watchers of more prefixes than there is room for,
// and closes all.
func TestForgottenWatchersAreCounted(t *testing.T) {
	r := NewRecorder()
	c := r.Caller(Peer{Address: "10.0.0.1"})
	var open []*watcher
	for i := range 3 * tableSize {
		open = append(open, r.open(c, watched{key: fmt.Appendf(nil, "/registry/pods/n%d/", i), end: fmt.Appendf(nil, "/registry/pods/n%d0", i)}))
	}
	count := func() (n int64) {
		for _, s := range r.byResource() {
			n += s.watchers
		}
		return n
	}
	require.Equal(t, int64(3*tableSize), count())
	require.Equal(t, int64(3*tableSize), r.byResource()[r.resources.of("pods")].watchers)
	report := r.Report(0, 0)
	require.Len(t, report.Prefixes, DefaultLimit)
	require.Equal(t, int64(3*tableSize), report.Clients[0].Watchers)
	for _, w := range open {
		w.close()
	}
	require.Zero(t, count())
	require.Zero(t, r.Report(0, 0).All.Watchers)
}

// TestTableByMany counts from many goroutines while others report and forget.
func TestTableByMany(t *testing.T) {
	r := NewRecorder()
	const writers, each = 8, 1000
	var wg sync.WaitGroup
	for w := range writers {
		c := r.Caller(Peer{Address: fmt.Sprint(w)})
		wg.Go(func() {
			for i := range each {
				n := Totals{Writes: 1}
				r.one(fmt.Appendf(nil, "/p%d/q/x", i), nil, n, new(Totals))
				n.Calls = 1
				c.add(&n)
			}
		})
	}
	stop := make(chan struct{})
	var reports sync.WaitGroup
	reports.Go(func() {
		last := int64(0)
		for {
			sum := r.byResource()[r.resources.of("")]
			if sum != nil {
				if sum.Writes < last {
					t.Errorf("a counter went back from %d to %d", last, sum.Writes)
				}
				last = sum.Writes
			}
			r.Report(0, 10)
			select {
			case <-stop:
				return
			default:
			}
		}
	})
	wg.Wait()
	close(stop)
	reports.Wait()
	require.Equal(t, int64(writers*each), r.Report(0, 0).All.Total.Writes)
	require.Equal(t, int64(writers*each), r.byResource()[r.resources.of("")].Writes)
}

// TestRatesAreOverTheInterval has what is older than the interval left out.
func TestRatesAreOverTheInterval(t *testing.T) {
	all := newTable(tableSize, same, noResource)
	h := newHistory(all, time.Now())
	at := h.end
	for i := range 100 {
		all.add([]byte("a"), &Totals{Writes: int64(i)}, nil)
		at = at.Add(time.Second)
		h.close(at)
	}
	by, _, took := h.since(10*time.Second, at)
	require.Equal(t, 10*time.Second, took)
	require.Equal(t, int64(90+91+92+93+94+95+96+97+98+99), by["a"].Writes)
	require.Equal(t, 94.5, per(&by["a"].Totals, took.Seconds()).Writes)
	_, _, took = h.since(math.MaxInt64, at)
	require.Equal(t, MaxInterval, took)
}
