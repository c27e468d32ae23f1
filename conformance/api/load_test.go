package api

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// load is several writers, each of which puts 1, 2, 3, ... into a key of its own, whatever happens to the zkine; and a
// watcher that follows them all. What it holds against a zkine: every acknowledged write is in the history, once, at
// the revision that was told; every other event is a write whose writer got no answer, once; and the watcher saw the
// whole history, in order, without a gap.
type load struct {
	t      *testing.T
	client *clientv3.Client
	cancel context.CancelFunc
	all    sync.WaitGroup

	mu     sync.Mutex
	acked  map[write]int64 // the revision
	unsure map[write]bool
	errors []error
	more   chan struct{} // closed and replaced when a write was acknowledged

}

type write struct{ key, value string }

const loadPrefix = "load/"

// startLoad begins at revision 1: nothing else may have been written.
func startLoad(t *testing.T, writers int, endpoints ...string) *load {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	l := &load{
		t: t, client: client(t, endpoints...), cancel: cancel,
		acked: map[write]int64{}, unsure: map[write]bool{}, more: make(chan struct{}),
	}
	for i := range writers {
		l.all.Go(func() { l.write(ctx, fmt.Sprint(loadPrefix, i)) })
	}
	return l
}

// write puts until ctx ends. A put that was not answered counts as unsure, and the next one is tried.
func (l *load) write(ctx context.Context, key string) {
	for n := 1; ctx.Err() == nil; n++ {
		w := write{key, fmt.Sprint(n)}
		limited, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		response, err := l.client.Put(limited, w.key, w.value)
		cancel()
		l.mu.Lock()
		if err != nil {
			l.unsure[w] = true
			l.errors = append(l.errors, err)
		} else {
			l.acked[w] = response.Header.Revision
			close(l.more)
			l.more = make(chan struct{})
		}
		l.mu.Unlock()
	}
}

// await waits until n writes more than now were acknowledged.
func (l *load) await(n int) {
	l.t.Helper()
	timeout := time.After(patience)
	for first := -1; ; {
		l.mu.Lock()
		count, more := len(l.acked), l.more
		l.mu.Unlock()
		if first < 0 {
			first = count
		}
		if count >= first+n {
			return
		}
		select {
		case <-more:
		case <-timeout:
			l.t.Fatal("no writes are acknowledged")
		}
	}
}

// stop ends the writers and waits for them.
func (l *load) stop() {
	l.cancel()
	l.all.Wait()
}

// follow reads a watch of the load until it has shown revision last, and returns its events.
func (l *load) follow(watch clientv3.WatchChan, last int64) (events []*mvccpb.Event) {
	l.t.Helper()
	for {
		if n := len(events); n > 0 && events[n-1].Kv.ModRevision >= last {
			return events
		}
		select {
		case response, ok := <-watch:
			require.True(l.t, ok, "the watch ended")
			require.NoError(l.t, response.Err())
			events = append(events, response.Events...)
		case <-time.After(patience):
			l.t.Fatalf("the watch stands still, %d events before revision %d", len(events), last)
		}
	}
}

// check judges the stopped load by a watch that was open all the while.
func (l *load) check(watch clientv3.WatchChan) {
	l.t.Helper()
	now, err := l.client.Get(within(l.t), loadPrefix, clientv3.WithPrefix())
	require.NoError(l.t, err)
	last := now.Header.Revision
	seen := l.follow(watch, last)
	history := l.follow(l.client.Watch(within(l.t), loadPrefix, clientv3.WithPrefix(), clientv3.WithRev(1)), last)
	describe := func(e *mvccpb.Event) string {
		return fmt.Sprint(e.Kv.ModRevision, string(e.Kv.Key), string(e.Kv.Value), e.Kv.Version)
	}
	require.True(l.t, slices.EqualFunc(history, seen, func(a, b *mvccpb.Event) bool { return describe(a) == describe(b) }),
		"the watch that was open all the while saw something else than the history")
	written, final := map[write]bool{}, map[string]string{}
	for i, e := range history {
		w := write{string(e.Kv.Key), string(e.Kv.Value)}
		require.Equal(l.t, int64(i+2), e.Kv.ModRevision, "a revision is missing or there twice")
		require.False(l.t, written[w], "%v is there twice", w)
		written[w] = true
		final[w.key] = w.value
		if rev, acked := l.acked[w]; acked {
			require.Equal(l.t, rev, e.Kv.ModRevision)
		} else {
			require.True(l.t, l.unsure[w], "nobody wrote %v", w)
		}
	}
	for w := range l.acked {
		require.True(l.t, written[w], "%v was acknowledged and is lost", w)
	}
	require.Len(l.t, now.Kvs, len(final))
	for _, kv := range now.Kvs {
		require.Equal(l.t, final[string(kv.Key)], string(kv.Value))
	}
	l.t.Logf("%d writes acknowledged, %d unanswered, %d in the history", len(l.acked), len(l.unsure), len(history))
}

// onlyUnavailable checks that no writer got an error that it would take for a definite refusal.
func (l *load) onlyUnavailable() {
	l.t.Helper()
	for _, err := range l.errors {
		code := status.Code(err)
		require.True(l.t, code == codes.Unavailable || code == codes.DeadlineExceeded || err == context.DeadlineExceeded, err)
	}
}

// watch opens a watch of the whole load, from its beginning.
func (l *load) watch() clientv3.WatchChan {
	l.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	l.t.Cleanup(cancel)
	return l.client.Watch(ctx, loadPrefix, clientv3.WithPrefix(), clientv3.WithRev(1))
}
