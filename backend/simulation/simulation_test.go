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
)

var (
	seeds = flag.Int("seeds", 60, "how many worlds TestSeeds lives through")
	first = flag.Uint64("first", 0, "the first one's seed; 0 draws it")
	seed  = flag.Uint64("seed", 0, "the world that TestSeed lives through, telling all that happens")
)

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
		log, err := revision.Open(ctx, revision.Config{Dialer: e, Root: "/zkine", MaxSlots: 2, CheckpointFrom: 1, Log: logrus.NewEntry(quiet)})
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
	from := *first
	if from == 0 {
		from = rand.Uint64N(1 << 40)
	}
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

// TestSeedsAreReproducible lives twice through each of some worlds and compares
// all that their zkines did to the ensemble, and when.
func TestSeedsAreReproducible(t *testing.T) {
	const worlds = 20
	from := rand.Uint64N(1 << 40)
	var differ []uint64
	for seed := from; seed < from+worlds; seed++ {
		one, two := run(t, seed, true), run(t, seed, true)
		one.report(t)
		if one.trace.sum.Sum64() != two.trace.sum.Sum64() {
			differ = append(differ, seed)
			t.Logf("seed %d, %d steps: %s", seed, one.steps, one.trace.parts(two.trace))
		}
	}
	t.Logf("%d of %d worlds went another way the second time: %v", len(differ), worlds, differ)
	require.LessOrEqual(t, len(differ), worlds/10)
}

// statistics are what a number of worlds saw.
type statistics struct {
	worlds, steps, slots, writes int
	lived                        time.Duration
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
	s.happened["ending: "+w.profile.end.String()]++
	for what, n := range w.happened {
		s.happened[what] += n
	}
}

func (s *statistics) String() string {
	var names []string
	for what, n := range s.happened {
		names = append(names, fmt.Sprintf("%s %d", what, n))
	}
	sort.Strings(names)
	return fmt.Sprintf("%d worlds, %v lived, %d steps, %d slots, %d calls; %s", s.worlds, s.lived.Round(time.Second), s.steps, s.slots, s.writes,
		strings.Join(slices.Compact(names), ", "))
}
