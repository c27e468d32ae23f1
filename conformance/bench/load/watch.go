package load

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
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
		v := newWatcher(w)
		if err := v.open(ctx, watching.of(i), w.first+1); err != nil {
			return err
		}
		w.watchers = append(w.watchers, v)
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
	w.store.close()
}

var errDone = errors.New("done")
