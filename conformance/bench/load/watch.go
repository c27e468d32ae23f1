package load

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"
)

// backlog bounds the events that are on their way, all watchers together: writers wait beyond. So what counts is how
// fast events get to the watchers, and not how many can be heaped up.
const backlog = 100_000

// watch updates keys under the eyes of many watchers, each with a stream of its own and with previous values, as
// kube-apiserver watches. An operation is an update; items are events.
type watch struct {
	store
	watchers []*watcher
	stop     context.CancelCauseFunc
	ctx      context.Context // ends with the first watcher that fails
	running  sync.WaitGroup

	delivered atomic.Int64
	moved     chan struct{} // holds a token when events came

	// The warm-up is over, and this many events were its.
	warm   atomic.Bool
	before int64
}

func newWatch(j Job) plan { return &watch{store: store{job: j}, moved: make(chan struct{}, 1)} }

func (w *watch) prepare(ctx context.Context) error {
	if err := w.connect(ctx); err != nil {
		return err
	}
	if err := w.own(ctx); err != nil {
		return err
	}
	watching, err := connect(ctx, w.job.Endpoint, w.job.Watchers, w.job.Connections)
	w.conns = append(w.conns, watching...)
	if err != nil {
		return err
	}
	w.ctx, w.stop = context.WithCancelCause(context.Background())
	for i := range w.job.Watchers {
		v := &watcher{watch: w}
		if err := v.open(watching.of(i), w.first+1); err != nil {
			return err
		}
		w.watchers = append(w.watchers, v)
	}
	for _, v := range w.watchers {
		w.running.Go(func() {
			if err := v.follow(); err != nil {
				w.stop(err)
			}
		})
	}
	return nil
}

func (w *watch) op(ctx context.Context, client int, _ *tally) error {
	for w.writes.Load()*int64(w.job.Watchers)-w.delivered.Load() > backlog {
		select {
		case <-w.moved:
		case <-w.ctx.Done():
			return context.Cause(w.ctx)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return w.updateNext(ctx, w.clients[client])
}

// drainLimit bounds how long the last events may take.
const drainLimit = time.Minute

// rest waits until every watcher has got every event.
func (w *watch) rest(ctx context.Context) error {
	limit := time.After(drainLimit)
	for w.delivered.Load() != w.writes.Load()*int64(w.job.Watchers) {
		select {
		case <-w.moved:
		case <-w.ctx.Done():
			return context.Cause(w.ctx)
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-limit:
			return fmt.Errorf("%d of %d events were delivered within %v of the last write",
				w.delivered.Load(), w.writes.Load()*int64(w.job.Watchers), drainLimit)
		}
	}
	if !w.warm.Load() {
		w.before = w.delivered.Load()
		w.warm.Store(true)
	}
	return nil
}

func (w *watch) check(ctx context.Context, r *Result) error {
	r.Items = w.delivered.Load() - w.before
	var delivery histogram
	for i, v := range w.watchers {
		delivery.add(&v.delivery)
		if v.events != w.writes.Load() {
			return fmt.Errorf("watcher %d of %d got %d events in place of %d", i, len(w.watchers), v.events, w.writes.Load())
		}
	}
	r.Delivery = delivery.summary()
	return w.checkWrites(ctx)
}

func (w *watch) close() {
	if w.stop != nil {
		w.stop(errDone)
	}
	w.running.Wait()
	w.store.close()
}

var errDone = fmt.Errorf("done")

// watcher is one stream with one watch.
type watcher struct {
	watch    *watch
	stream   grpc.ClientStream
	reply    watchReply
	events   int64
	last     int64 // revision of the newest event
	delivery histogram
}

// open creates the watch and waits for its confirmation.
func (v *watcher) open(conn *grpc.ClientConn, from int64) (err error) {
	prefix := v.watch.job.Prefix
	request := mustMarshal(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: &pb.WatchCreateRequest{
		Key: []byte(prefix), RangeEnd: rangeEnd(prefix), StartRevision: from, PrevKv: true, ProgressNotify: true,
	}}})
	desc := &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}
	if v.stream, err = conn.NewStream(leaderRequired(v.watch.ctx), desc, watchMethod); err != nil {
		return err
	}
	if err := v.stream.SendMsg(request); err != nil {
		return err
	}
	v.reply.visit = v.event
	if err := v.stream.RecvMsg(&v.reply); err != nil {
		return fmt.Errorf("%s is refused: %w", watchMethod, err)
	}
	if !v.reply.created || v.reply.canceled {
		return fmt.Errorf("%s is refused: the first response is %+v", watchMethod, v.reply)
	}
	return nil
}

func (v *watcher) follow() error {
	for {
		before := v.events
		if err := v.stream.RecvMsg(&v.reply); err != nil {
			if v.watch.ctx.Err() != nil {
				return nil
			}
			return err
		}
		if v.reply.canceled {
			return fmt.Errorf("a watch was cancelled: %+v", v.reply)
		}
		if v.events == before {
			continue
		}
		v.watch.delivered.Add(v.events - before)
		select {
		case v.watch.moved <- struct{}{}:
		default:
		}
	}
}

// event takes one event.
func (v *watcher) event(kv keyValue, previous bool) error {
	if kv.mod <= v.last || !previous || kv.length != len(v.watch.clients[0].values.value) {
		return fmt.Errorf("an event of revision %d with %d bytes came after one of revision %d (previous value: %t)",
			kv.mod, kv.length, v.last, previous)
	}
	v.last = kv.mod
	v.events++
	if v.watch.warm.Load() {
		v.delivery.record(since(kv.stamp))
	}
	return nil
}

// watchReply is what is looked at of a WatchResponse.
type watchReply struct {
	visit func(kv keyValue, previous bool) error

	created, canceled bool
	compacted         int64
	kv                keyValue
}

func (r *watchReply) scan(b *mem.Reader) error {
	r.created, r.canceled, r.compacted = false, false, 0
	w := wire{b}
	return w.each(0, func(f field) error {
		switch f.number {
		case 3:
			r.created = f.n != 0
		case 4:
			r.canceled = f.n != 0
		case 5:
			r.compacted = int64(f.n)
		case 11:
			return r.scanEvent(w, f)
		}
		return nil
	})
}

func (r *watchReply) scanEvent(w wire, event field) error {
	previous := false
	err := w.each(w.end(event), func(f field) error {
		switch f.number {
		case 2:
			return w.keyValue(f, &r.kv)
		case 3:
			previous = true
		}
		return nil
	})
	if err != nil {
		return err
	}
	return r.visit(r.kv, previous)
}
