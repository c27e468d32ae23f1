package differential

import (
	"context"
	"fmt"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
)

// Before watchers are compared, each must have seen all that it is to see. How much that is, the history tells: the
// events that the first watcher of each store has seen, which watches everything from the beginning, alone on its
// stream, and is waited for by asking for progress.
//
// Before a compaction they must also have come so far that it does not concern them, though nothing of what they have
// passed may have been for them: those that begin in the past, or filter events. They too are asked for progress.

// event is what there is to know of an event to count who wants it.
type event struct {
	revision int64
	key      []byte
	delete   bool
}

// historyStream is the stream of the watchers of everything.
const historyStream = -1

var everything = &pb.WatchCreateRequest{Key: []byte{0}, RangeEnd: []byte{0}, StartRevision: 1, PrevKv: true, Fragment: true}

// counted is how many events of the history a watcher wants, among so many of the history's.
type counted struct{ among, wants int }

// syncWatches waits until all watchers have seen everything, and compares what they saw.
func (p *pair) syncWatches(ctx context.Context) (difference string) {
	if difference := p.syncHistory(ctx); difference != "" {
		return difference
	}
	for i := 1; i < len(p.etcd.watches); i++ {
		if difference := p.syncWatch(ctx, i); difference != "" {
			return difference
		}
	}
	return ""
}

// syncHistory waits for the watchers of everything, compares them and learns the history.
func (p *pair) syncHistory(ctx context.Context) (difference string) {
	etcd, zkine := p.etcd.watches[0], p.zkine.watches[0]
	for _, s := range []*store{p.etcd, p.zkine} {
		if err := s.streams[historyStream].reach(ctx, p.revision); err != nil {
			return fmt.Sprintf("%s, the watcher of everything: %v; %s", s.name, err, compareWatches(etcd, zkine))
		}
	}
	etcd.stream.mu.Lock()
	for _, m := range etcd.seen {
		if e, ok := m.(*mvccpb.Event); ok {
			p.history = append(p.history, event{e.Kv.ModRevision, e.Kv.Key, e.Type == mvccpb.Event_DELETE})
		}
	}
	etcd.stream.mu.Unlock()
	if d := compareWatches(etcd, zkine); d != "" {
		return "the watcher of everything: " + d
	}
	return ""
}

// syncWatch waits until a watcher of both stores has seen what it wants of the history, and compares what they saw.
func (p *pair) syncWatch(ctx context.Context, i int) (difference string) {
	etcd, zkine := p.etcd.watches[i], p.zkine.watches[i]
	for len(p.counts) <= i {
		p.counts = append(p.counts, counted{})
	}
	c := &p.counts[i]
	for ; c.among < len(p.history); c.among++ {
		if etcd.wants(p.history[c.among]) {
			c.wants++
		}
	}
	for j, w := range []*watch{etcd, zkine} {
		if err := w.stream.await(ctx, func() bool { return w.over || !w.doomed && w.events >= c.wants }); err != nil {
			name := []*store{p.etcd, p.zkine}[j].name
			return fmt.Sprintf("%s, watcher %d {%v} lacks some of %d events: %v; %s", name, i, w.request, c.wants, err, compareWatches(etcd, zkine))
		}
	}
	if d := compareWatches(etcd, zkine); d != "" {
		return fmt.Sprintf("watcher %d {%v}: %s", i, etcd.request, d)
	}
	if len(etcd.request.Filters) > 0 {
		return p.reach(ctx, i)
	}
	return ""
}

// reach waits until both streams of a watcher have come to the current revision, if they answer.
func (p *pair) reach(ctx context.Context, i int) (difference string) {
	for _, s := range []*store{p.etcd, p.zkine} {
		w := s.watches[i]
		if !w.stream.answers(w, p.revision) {
			continue
		}
		if err := w.stream.reach(ctx, p.revision); err != nil {
			return fmt.Sprintf("%s, the stream of watcher %d {%v}: %v", s.name, i, w.request, err)
		}
	}
	return ""
}

// answers says whether a stream answers requests for progress: there are watchers, this one too, none of them begins in
// the future, and a compaction canceled none.
func (st *stream) answers(w *watch, revision int64) bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	for _, other := range st.watches {
		if other.doomed || other.request.StartRevision > revision {
			return false
		}
	}
	return st.watches[w.id] == w && !w.over
}

// reach waits until a stream's watchers have seen everything up to a revision. It asks for progress again and again,
// since there is no answer while a watcher catches up. Answers that are late are waited for, should there be any: they
// promise nothing for a watcher that is created meanwhile.
func (st *stream) reach(ctx context.Context, revision int64) error {
	for {
		st.mu.Lock()
		st.asks++
		st.mu.Unlock()
		request := &pb.WatchRequest{RequestUnion: &pb.WatchRequest_ProgressRequest{ProgressRequest: &pb.WatchProgressRequest{}}}
		if err := st.grpc.Send(request); err != nil {
			return err
		}
		again, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
		err := st.await(again, func() bool { return st.progress >= revision })
		cancel()
		if err == nil {
			late, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
			defer cancel()
			_ = st.await(late, func() bool { return st.promises >= st.asks }) // or they never come
			st.mu.Lock()
			defer st.mu.Unlock()
			st.promises = st.asks
			return nil
		}
		if again.Err() == nil {
			return err
		}
		if ctx.Err() != nil {
			return fmt.Errorf("it does not reach revision %d: %w", revision, ctx.Err())
		}
	}
}
