package differential

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/conformance/reference"
)

// patience bounds a request, and what a watcher must send.
const patience = time.Minute

// pair is an etcd and a zkine that are asked the same.
type pair struct {
	etcd, zkine         *store
	program             *program // the zkine
	revision, compacted int64
	compactions         map[int64]bool // all revisions that were compacted at
	tally               tally

	history []event
	counts  []counted // by watcher
}

// newPair starts both. A busy zkine cuts, packs, checkpoints and trims its log all the time.
func newPair(t *testing.T, busy bool) *pair {
	t.Helper()
	program := startZkine(t, busy)
	p := &pair{
		etcd: connect(t, etcdName, reference.Start(t)), zkine: connect(t, "zkine", program.Endpoint), program: program,
		revision: 1, compactions: map[int64]bool{}, tally: tally{},
	}
	if difference := p.do(operation{Message: everything, stream: historyStream}); difference != "" {
		t.Fatal(difference)
	}
	return p
}

// do makes a request of both and returns the difference, "" if there is none.
func (p *pair) do(o operation) (difference string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	switch o.Message.(type) {
	case *pb.CompactionRequest, *pb.WatchCancelRequest:
		// A watcher that is behind may be cancelled by it, or get events without their previous values.
		if difference := p.syncWatches(ctx); difference != "" {
			return difference
		}
	}
	want, got := p.ask(ctx, o)
	if !want.equal(got) {
		return fmt.Sprintf("etcd:  %v\nzkine: %v", want, got)
	}
	p.tally.note(o, want)
	if difference := p.advance(ctx, want); difference != "" {
		return difference
	}
	switch r := o.Message.(type) {
	case *pb.CompactionRequest:
		if want.err == "" {
			difference := p.settle(ctx, r.Revision)
			p.compacted = r.Revision
			p.compactions[r.Revision] = true
			return difference
		}
	case *pb.WatchCreateRequest:
		for _, s := range []*store{p.etcd, p.zkine} {
			s.watches[len(s.watches)-1].doomed = 0 < r.StartRevision && r.StartRevision < p.compacted
		}
		if 0 < r.StartRevision {
			return p.reach(ctx, len(p.etcd.watches)-1)
		}
	}
	return ""
}

// ask asks both at once.
func (p *pair) ask(ctx context.Context, o operation) (etcd, zkine outcome) {
	answer := make(chan outcome, 1)
	go func() { answer <- p.zkine.do(ctx, o) }()
	etcd = p.etcd.do(ctx, o)
	return etcd, <-answer
}

// settle waits until etcd has done what a compaction left to do, and with it has computed the hash of before: from then
// on it tells that one.
func (p *pair) settle(ctx context.Context, compacted int64) (difference string) {
	if compacted == 0 {
		return "" // asking for 0 is asking for the current revision
	}
	before := p.compacted
	if len(p.compactions) == 0 {
		before = -1
	}
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for {
		r, err := p.etcd.maintenance.HashKV(ctx, &pb.HashKVRequest{Revision: compacted})
		if err != nil {
			return fmt.Sprintf("HashKV of etcd at the compacted revision %d: %v", compacted, err)
		}
		if r.CompactRevision == before {
			return p.compare(ctx, operation{Message: &pb.HashKVRequest{Revision: compacted}})
		}
		<-ticker.C
	}
}

// advance learns the revision from an answer, and compares the hashes at a new one.
func (p *pair) advance(ctx context.Context, o outcome) (difference string) {
	r, ok := o.response.(interface{ GetHeader() *pb.ResponseHeader })
	if !ok || r.GetHeader().GetRevision() <= p.revision {
		return ""
	}
	p.revision = r.GetHeader().GetRevision()
	return p.compare(ctx, operation{Message: &pb.HashKVRequest{Revision: p.revision}})
}

// compare asks both, and nothing more than that.
func (p *pair) compare(ctx context.Context, o operation) (difference string) {
	if want, got := p.ask(ctx, o); !want.equal(got) {
		return fmt.Sprintf("%v\netcd:  %v\nzkine: %v", o, want, got)
	}
	return ""
}

// check compares everything there is: what watchers saw, all keys, the hash of the history, leases and alarms.
func (p *pair) check() (difference string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if difference := p.syncWatches(ctx); difference != "" {
		return difference
	}
	for _, o := range append(p.everything(), p.keptHashes()...) {
		if difference := p.compare(ctx, o); difference != "" {
			return difference
		}
	}
	return ""
}

// everything asks for all that a store holds.
func (p *pair) everything() []operation {
	all := []operation{
		{Message: &pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}}},
		{Message: &pb.LeaseLeasesRequest{}},
		{Message: &pb.AlarmRequest{}},
	}
	if p.compacted > 0 {
		all = append(all, operation{Message: &pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}, Revision: p.compacted}})
	}
	// That of the current revision, which is not asked for by its number if there is one of before its compaction, and not
	// by 0 if that was compacted at.
	if !p.compactions[0] {
		all = append(all, operation{Message: &pb.HashKVRequest{}})
	} else if !p.compactions[p.revision] {
		all = append(all, operation{Message: &pb.HashKVRequest{Revision: p.revision}})
	}
	return all
}

// keptHashes asks for the hashes of before the latest compactions, and of some more than a store keeps. A zkine that has
// just started does not know them.
func (p *pair) keptHashes() (all []operation) {
	const kept, more = 10, 2
	revisions := slices.Sorted(maps.Keys(p.compactions))
	for _, revision := range revisions[max(0, len(revisions)-kept-more):] {
		if revision > 0 {
			all = append(all, operation{Message: &pb.HashKVRequest{Revision: revision}})
		}
	}
	return all
}

// checkNewcomer compares everything with what a zkine shows that has only just started on the same root: from the
// newest checkpoint, and what was packed.
func (p *pair) checkNewcomer(t *testing.T) (difference string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	newcomer := p.program.another(t)
	defer newcomer.Stop(ctx) //nolint:errcheck // so that its name is free again; the test's end looks at how it ended
	if _, err := newcomer.Await(ctx, "zkine is ready"); err != nil {
		return err.Error()
	}
	if !strings.Contains(newcomer.Output(), "loaded a checkpoint") {
		return "a zkine that has just started found no checkpoint: the log is not busy"
	}
	fresh := &pair{etcd: p.etcd, zkine: connect(t, "a new zkine", newcomer.Endpoint), revision: p.revision}
	for _, o := range p.everything() {
		if difference := fresh.compare(ctx, o); difference != "" {
			return "a zkine that has just started: " + difference
		}
	}
	return ""
}
