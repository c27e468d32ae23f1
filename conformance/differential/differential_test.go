package differential

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/zkine/zkine/revision/zktest"
)

var (
	seeds  = flag.Int("seeds", 2, "how many seeds to run, each on stores of its own; each second one with a busy log")
	first  = flag.Uint64("seed", 0, "the first seed (default: any)")
	ops    = flag.Int("ops", 500, "requests a seed")
	busy   = flag.Bool("busy", false, "a busy log with each seed")
	shrink = flag.Bool("shrink", false, "after a difference, look for a short way to it")
)

const (
	// checkEvery is after how many requests all watchers and all that the stores hold are compared.
	checkEvery = 50
	// newcomers is how often in a seed a new zkine is looked at, if the log is busy.
	newcomers = 4
)

func TestMain(m *testing.M) { zktest.Main(m) }

func TestDifferential(t *testing.T) {
	from := *first
	if from == 0 {
		from = rand.Uint64N(1 << 32)
	}
	for i := range uint64(*seeds) {
		seed := from + i
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			r := &run{busy: *busy || seed%2 == 1}
			began := time.Now()
			r.seed(t, seed, *ops)
			t.Logf("%d requests up to revision %d, %d watchers and %d events of the history, busy log: %v; %v\n%v",
				len(r.done), r.revision, len(r.etcd.watches), len(r.history), r.busy, time.Since(began).Round(time.Second), r.tally)
		})
	}
}

// run is requests to a pair.
type run struct {
	*pair
	busy bool
	done []operation
}

// seed makes a seed's requests.
func (r *run) seed(t *testing.T, seed uint64, ops int) {
	r.pair = newPair(t, r.busy)
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 0)), revision: 1, compactions: r.compactions}
	for range ops {
		o := g.next()
		r.done = append(r.done, o)
		difference := r.step(t, o)
		g.revision, g.compacted = r.revision, r.compacted
		if difference != "" {
			r.report(t, difference)
		}
	}
	if difference := r.check(); difference != "" {
		r.report(t, difference)
	}
}

// step makes a request, and now and then compares everything.
func (r *run) step(t *testing.T, o operation) (difference string) {
	if difference := r.do(o); difference != "" {
		return difference
	}
	if len(r.done)%checkEvery == 0 {
		if difference := r.check(); difference != "" {
			return difference
		}
	}
	if r.busy && len(r.done)%max(1, *ops/newcomers) == 0 {
		return r.checkNewcomer(t)
	}
	return ""
}

// replay makes given requests of a new pair.
func (r *run) replay(t *testing.T, operations []operation) (difference string) {
	r.pair = newPair(t, r.busy)
	for _, o := range operations {
		if difference := r.do(o); difference != "" {
			return difference
		}
	}
	if difference := r.check(); difference != "" || !r.busy {
		return difference
	}
	return r.checkNewcomer(t)
}

// report fails the test. With -shrink it says how the shortest way to a difference that was found can be kept.
func (r *run) report(t *testing.T, difference string) {
	t.Helper()
	done := r.done
	if *shrink {
		done, difference = r.shorten(t, done, difference)
		keep(t, done)
	} else {
		done = done[max(0, len(done)-10):]
	}
	var text strings.Builder
	for _, o := range done {
		fmt.Fprintln(&text, o)
	}
	t.Fatalf("after\n%s%s", text.String(), difference)
}

// shorten leaves out requests for as long as there still is a difference.
func (r *run) shorten(t *testing.T, done []operation, difference string) ([]operation, string) {
	for size := len(done) / 2; size > 0; size /= 2 {
		for at := 0; at+size <= len(done); {
			shorter := append(append([]operation{}, done[:at]...), done[at+size:]...)
			var found string
			t.Run("shrink", func(t *testing.T) { found = (&run{busy: r.busy}).replay(t, shorter) })
			if found != "" {
				done, difference = shorter, found
			} else {
				at += size
			}
		}
	}
	return done, difference
}
