package differential

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/conformance/api/process"
	"github.com/zkine/zkine/conformance/api/reference"
	"github.com/zkine/zkine/revision/embedded"
	"github.com/zkine/zkine/revision/zktest"
)

var (
	seeds  = flag.Int("seeds", 2, "how many seeds to run, each on stores of its own")
	first  = flag.Uint64("seed", 0, "the first seed (default: any)")
	ops    = flag.Int("ops", 500, "requests a seed")
	shrink = flag.Bool("shrink", false, "after a difference, look for a short way to it")
)

const (
	// checkEvery is after how many requests all watchers and the stores' hashes are compared.
	checkEvery = 50
	// patience bounds a request, and what a watcher must send.
	patience = time.Minute
)

func TestMain(m *testing.M) { zktest.Main(m) }

// known are seeds that once showed a difference.
var known = []uint64{}

func TestDifferential(t *testing.T) {
	from := *first
	if from == 0 {
		from = rand.Uint64N(1 << 32)
	}
	all := append([]uint64{}, known...)
	for i := range *seeds {
		all = append(all, from+uint64(i))
	}
	for _, seed := range all {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			p := newPair(t)
			g := &generator{Rand: rand.New(rand.NewPCG(seed, 0)), revision: 1, compactions: p.compactions}
			var done []operation
			for range *ops {
				o := g.next()
				done = append(done, o)
				difference := p.do(o)
				g.revision, g.compacted = p.revision, p.compacted
				if difference == "" && len(done)%checkEvery == 0 {
					difference = p.check()
				}
				if difference != "" {
					report(t, done, difference)
				}
			}
			if difference := p.check(); difference != "" {
				report(t, done, difference)
			}
		})
	}
}

func report(t *testing.T, done []operation, difference string) {
	t.Helper()
	if *shrink {
		done, difference = shorten(t, done, difference)
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
func shorten(t *testing.T, done []operation, difference string) ([]operation, string) {
	for size := len(done) / 2; size > 0; size /= 2 {
		for at := 0; at+size <= len(done); {
			shorter := append(append([]operation{}, done[:at]...), done[at+size:]...)
			if d := replay(t, shorter); d != "" {
				done, difference = shorter, d
			} else {
				at += size
			}
		}
	}
	return done, difference
}

func replay(t *testing.T, operations []operation) (difference string) {
	t.Run("replay", func(t *testing.T) {
		p := newPair(t)
		for _, o := range operations {
			if difference = p.do(o); difference != "" {
				return
			}
		}
		difference = p.check()
	})
	return difference
}

// pair is an etcd and a zkine that are asked the same.
type pair struct {
	etcd, zkine         *store
	revision, compacted int64
	compactions         map[int64]bool // all revisions that were compacted at
}

func newPair(t *testing.T) *pair {
	t.Helper()
	return &pair{
		etcd: connect(t, "etcd", reference.Start(t)), zkine: connect(t, "zkine", startZkine(t)),
		revision: 1, compactions: map[int64]bool{},
	}
}

func startZkine(t *testing.T) (endpoint string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	bin, err := process.Zkine(ctx, true)
	require.NoError(t, err)
	port, err := embedded.FreePort()
	require.NoError(t, err)
	endpoint = fmt.Sprintf("127.0.0.1:%d", port)
	p, err := process.Start(bin, []string{
		"server", "--zookeeper=" + zktest.Shared(t).Addr(), "--zookeeper-root=" + zktest.Root(t), "--name=one",
		"--listen-client-urls=http://" + endpoint, "--listen-metrics-urls=http://127.0.0.1:0",
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		p.Kill()
		if out := p.Output(); t.Failed() || strings.Contains(out, "DATA RACE") || strings.Contains(out, "panic") {
			t.Errorf("zkine printed:\n%s", out)
		}
	})
	_, err = p.Await(ctx, "zkine is ready")
	require.NoError(t, err)
	return endpoint
}

// do makes a request of both and returns the difference, "" if there is none.
func (p *pair) do(o operation) (difference string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	switch o.Message.(type) {
	case *pb.CompactionRequest:
		// A watcher that is behind may be cancelled by it, or get events without their previous values.
		if difference := p.syncWatches(ctx); difference != "" {
			return difference
		}
	case *pb.WatchCancelRequest:
		if o.watch >= len(p.etcd.watches) {
			return ""
		}
		if difference := p.syncWatches(ctx); difference != "" {
			return difference
		}
	}
	want, got := p.etcd.do(ctx, o), p.zkine.do(ctx, o)
	if !want.equal(got) {
		return fmt.Sprintf("etcd:  %v\nzkine: %v", want, got)
	}
	if r, ok := want.response.(interface{ GetHeader() *pb.ResponseHeader }); ok {
		p.revision = max(p.revision, r.GetHeader().GetRevision())
	}
	switch r := o.Message.(type) {
	case *pb.CompactionRequest:
		if want.err == "" {
			p.compacted = r.Revision
			p.compactions[r.Revision] = true
		}
	case *pb.WatchCreateRequest:
		return p.syncWatch(ctx, len(p.etcd.watches)-1)
	}
	return ""
}

// syncWatches waits until all watchers have seen everything, and compares what they saw.
func (p *pair) syncWatches(ctx context.Context) (difference string) {
	for i := range p.etcd.watches {
		if difference := p.syncWatch(ctx, i); difference != "" {
			return difference
		}
	}
	return ""
}

func (p *pair) syncWatch(ctx context.Context, i int) (difference string) {
	etcd, zkine := p.etcd.watches[i], p.zkine.watches[i]
	for _, s := range []*store{p.etcd, p.zkine} {
		if err := s.watches[i].sync(ctx, p.revision); err != nil {
			return fmt.Sprintf("%s, watch %d: %v; %s", s.name, i, err, compareWatches(etcd, zkine))
		}
	}
	if d := compareWatches(etcd, zkine); d != "" {
		return fmt.Sprintf("watch %d: %s", i, d)
	}
	return ""
}

// check compares everything there is: what watchers saw, all keys, the hash of the history, and the leases.
func (p *pair) check() (difference string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if difference := p.syncWatches(ctx); difference != "" {
		return difference
	}
	everything := []operation{
		{Message: &pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}}},
		{Message: &pb.LeaseLeasesRequest{}},
	}
	if !p.compactions[p.revision] { // see generator.hash
		everything = append(everything, operation{Message: &pb.HashKVRequest{Revision: p.revision}})
	}
	for _, o := range everything {
		if difference := p.do(o); difference != "" {
			return fmt.Sprintf("%v\n%s", o, difference)
		}
	}
	return ""
}
