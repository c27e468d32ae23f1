package simulation

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/backend"
	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/memzk"
	"github.com/zkine/zkine/revision/zklog"
)

var (
	seeds = flag.Int("seeds", someSeeds(), "how many worlds TestSeeds lives through")
	first = flag.Uint64("first", 1, "the first one's seed, the same each time in make test; 0 draws it")
	seed  = flag.Uint64("seed", 0, "the world that TestSeed lives through, telling all that happens")
)

// someSeeds is few with the race detector, which makes a world slow and hard to
// repeat: it is there to look for races. make test runs the worlds without, too.
func someSeeds() int {
	if raced {
		return 15
	}
	return 100
}

func firstSeed() uint64 {
	if *first == 0 {
		return rand.Uint64N(1 << 40)
	}
	return *first
}

// TestMain makes what all worlds share outside of their bubbles. Goroutines run
// one at a time: what they do at once would be up to chance.
func TestMain(m *testing.M) {
	flag.Parse()
	runtime.GOMAXPROCS(1)
	warmUp()
	os.Exit(m.Run())
}

// warmUp uses the codecs once: they make channels then.
func warmUp() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	quiet := logrus.New()
	quiet.SetLevel(logrus.PanicLevel)
	e := memzk.New()
	var last *backend.Backend
	for _, name := range []string{"a", "b"} {
		log, err := zklog.Open(ctx, zklog.Config{Dialer: e, Root: "/zkine", MaxSlots: 2, CheckpointFrom: 1, Log: logrus.NewEntry(quiet)})
		must(err)
		last, err = backend.Open(ctx, log, backend.Config{Member: revision.Member{Name: name, ID: 1}, Log: logrus.NewEntry(quiet)})
		must(err)
		// Until a checkpoint is there for the other to load.
		for n := 0; n < 20 || e.Count("/zkine/checkpoint") < 3; n++ {
			_, err := last.Put(ctx, &pb.PutRequest{Key: []byte("k"), Value: []byte(strings.Repeat("value", 1000))})
			must(err)
		}
		must(last.Close())
	}
}

// TestSeeds lives through many worlds.
func TestSeeds(t *testing.T) {
	from := firstSeed()
	t.Logf("seeds from %d on", from)
	var stats statistics
	for seed := from; seed < from+uint64(*seeds) && !t.Failed(); seed++ {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			w := run(t, seed, false)
			stats.add(w)
			w.report(t)
		})
	}
	t.Log(stats.String())
	if stats.worlds >= 100 {
		require.Positive(t, stats.happened["raised"], "no operator has raised the revision")
		require.Positive(t, stats.leased, "no zkine has held the read lease")
		require.Positive(t, stats.heldBack, "no slot was held back for one")
	}
}

// report tells what was wrong.
func (w *world) report(t *testing.T) {
	if len(w.wrong) > 0 {
		t.Errorf("seed %d, %v\n  %s\nagain, with all that happened: go test ./backend/simulation -run TestSeed$ -seed %d -v",
			w.seed, w.profile, strings.Join(w.wrong, "\n  "), w.seed)
	}
}

// TestSeed lives through the world of -seed and tells what happens in it.
func TestSeed(t *testing.T) {
	if *seed == 0 {
		t.Skip("no -seed given")
	}
	w := run(t, *seed, true)
	t.Logf("%v\n%s", w.profile, w.trace)
	w.report(t)
}

// TestSeedsAreReproducible lives through each of some worlds until it went the
// same way twice, by all that its zkines did to the ensemble, and when. Most do
// at once: zkines draw what is up to chance from the seed, and have an order for
// what is due at the same moment. Those with very many steps may never: Go preempts
// a goroutine now and then that it would otherwise have left alone, on a busy
// machine above all.
func TestSeedsAreReproducible(t *testing.T) {
	if raced {
		t.Skip("the race detector has Go choose goroutines at random")
	}
	const worlds, lives = 20, 4
	from := firstSeed()
	var differ []uint64
	for seed := from; seed < from+worlds; seed++ {
		var lived []*world
		repeats := false
		for len(lived) < lives && !repeats {
			w := run(t, seed, true)
			w.report(t)
			repeats = slices.ContainsFunc(lived, func(one *world) bool { return one.trace.sum.Sum64() == w.trace.sum.Sum64() })
			lived = append(lived, w)
		}
		if !repeats {
			differ = append(differ, seed)
			t.Logf("seed %d, %d steps, the second time: %s", seed, lived[0].steps, lived[0].trace.parts(lived[1].trace))
		}
	}
	t.Logf("%d of %d worlds went another way in each of %d lives: %v", len(differ), worlds, lives, differ)
	require.Less(t, len(differ), worlds/4)
}

// statistics are what a number of worlds saw.
type statistics struct {
	worlds, steps, slots, writes int
	lived, heldBack              time.Duration
	leased                       int64
	happened                     map[string]int
}

func (s *statistics) add(w *world) {
	if s.happened == nil {
		s.happened = map[string]int{}
	}
	s.worlds++
	s.steps += w.steps
	s.slots += len(w.truth.slots)
	s.writes += len(w.history.ops)
	s.lived += w.age
	s.leased += w.leased.Load()
	s.heldBack += time.Duration(w.heldBack.Load())
	s.happened["ending: "+w.profile.end.String()]++
	for what, n := range w.happened {
		s.happened[what] += n
	}
	for what, n := range w.raisings {
		s.happened[what] += n
	}
}

func (s *statistics) String() string {
	var names []string
	for what, n := range s.happened {
		names = append(names, fmt.Sprintf("%s %d", what, n))
	}
	sort.Strings(names)
	return fmt.Sprintf("%d worlds, %v lived, %d steps, %d slots, %d calls, %d reads by leases, slots held back for %v; %s", s.worlds, s.lived.Round(time.Second), s.steps, s.slots, s.writes,
		s.leased, s.heldBack.Round(time.Millisecond),
		strings.Join(slices.Compact(names), ", "))
}
