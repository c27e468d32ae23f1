package load

import (
	"context"
	"fmt"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/conformance/bench/load/wiregrpc"
)

// watcher is one stream with one watch. Its connection's reader calls it: with a thousand of them, a goroutine that is
// woken for each event would cost more than to look at it.
type watcher struct {
	watch     *watch
	confirmed chan struct{} // closed when the first response has come

	// The reader's until all events have been delivered.
	reply    watchReply
	created  bool
	events   int64
	last     int64 // revision of the newest event
	delivery histogram
}

func newWatcher(w *watch) *watcher {
	v := &watcher{watch: w, confirmed: make(chan struct{})}
	v.reply.visit = v.event
	return v
}

// open creates the watch and waits for its confirmation.
func (v *watcher) open(ctx context.Context, conn *wiregrpc.Conn, from int64) error {
	prefix := v.watch.job.Prefix
	request := mustMarshal(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: &pb.WatchCreateRequest{
		Key: []byte(prefix), RangeEnd: rangeEnd(prefix), StartRevision: from, PrevKv: true, ProgressNotify: true,
	}}})
	stream, err := conn.Stream(v.watch.ctx, watchMethod, v, leaderRequired...)
	if err != nil {
		return err
	}
	// If it fails, then the stream has ended, and the watch with the reason of that.
	_ = stream.Send(request)
	select {
	case <-v.confirmed:
		return nil
	case <-v.watch.ctx.Done():
		return context.Cause(v.watch.ctx)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Scan takes a response.
func (v *watcher) Scan(message []byte) error {
	before := v.events
	if err := v.reply.Scan(message); err != nil {
		return err
	}
	if v.reply.canceled || v.reply.created == v.created {
		return fmt.Errorf("a watch (created: %t) gets a response with created: %t, canceled: %t, compact_revision: %d",
			v.created, v.reply.created, v.reply.canceled, v.reply.compacted)
	}
	if v.reply.created {
		v.created = true
		close(v.confirmed)
	}
	if v.events == before {
		return nil
	}
	v.watch.delivered.Add(v.events - before)
	select {
	case v.watch.moved <- struct{}{}:
	default:
	}
	return nil
}

// End ends all, unless that is why the stream ends.
func (v *watcher) End(err error) {
	if err == nil {
		err = errStreamEnded
	}
	v.watch.stop(fmt.Errorf("%s: %w", watchMethod, err))
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
}

func (r *watchReply) Scan(message []byte) error {
	r.created, r.canceled, r.compacted = false, false, 0
	w := wire{rest: message}
	for w.next() {
		switch w.number {
		case 3:
			r.created = w.n != 0
		case 4:
			r.canceled = w.n != 0
		case 5:
			r.compacted = int64(w.n)
		case 11:
			if err := r.scanEvent(w.bytes); err != nil {
				return err
			}
		}
	}
	return w.err
}

func (r *watchReply) scanEvent(message []byte) error {
	var kv keyValue
	previous := false
	w := wire{rest: message}
	for w.next() {
		switch w.number {
		case 2:
			var err error
			if kv, err = scanKeyValue(w.bytes); err != nil {
				return err
			}
		case 3:
			previous = true
		}
	}
	if w.err != nil {
		return w.err
	}
	return r.visit(kv, previous)
}
