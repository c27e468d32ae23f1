package zklog_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/memzk"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zklog"
)

// watchedReads dials connections whose reads of slots and packs it counts, and
// lets fail.
type watchedReads struct {
	*memzk.Ensemble

	mu      sync.Mutex
	count   int
	changed chan struct{}
	fails   func(count int) bool
}

func watchReads(e *memzk.Ensemble) *watchedReads {
	return &watchedReads{Ensemble: e, changed: make(chan struct{}), fails: func(int) bool { return false }}
}

func (w *watchedReads) Dial(ctx context.Context) (zkclient.Conn, error) {
	return dialReading(ctx, w.Ensemble, w.get)
}

func (w *watchedReads) get(ctx context.Context, conn zkclient.Conn, path string) ([]byte, *zk.Stat, error) {
	if strings.Contains(path, "/s-") || strings.Contains(path, "/p-") {
		if w.note() {
			return nil, nil, errors.New("connection lost")
		}
	}
	return conn.Get(ctx, path)
}

func (w *watchedReads) note() (fail bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.count++
	close(w.changed)
	w.changed = make(chan struct{})
	return w.fails(w.count)
}

func (w *watchedReads) await(t *testing.T, count int) {
	t.Helper()
	timeout := time.After(30 * time.Second)
	for {
		w.mu.Lock()
		now, changed := w.count, w.changed
		w.mu.Unlock()
		if now >= count {
			return
		}
		select {
		case <-changed:
		case <-timeout:
			require.FailNow(t, "timed out", "%d reads of %d", now, count)
		}
	}
}

func writeSlots(t *testing.T, e *memzk.Ensemble, count int, cfg zklog.Config) []revision.Slot {
	cfg.Dialer = e
	a := openLog(t, cfg)
	var last revision.Seq
	for i := range count {
		last = a.append(batchOf(put(fmt.Sprint(i), "v"))).Seq
	}
	return a.reach(last)
}

func TestSlotsAreReadWhileOthersAreApplied(t *testing.T) {
	e := memzk.New()
	written := writeSlots(t, e, 100, zklog.Config{})
	reads := watchReads(e)
	log, err := zklog.Open(t.Context(), zklog.Config{Dialer: reads, Root: "/zkine", Log: quiet()})
	require.NoError(t, err)
	defer func() { require.NoError(t, log.Close()) }()
	slot, err := log.Next(t.Context())
	require.NoError(t, err)
	require.Equal(t, written[0].Seq, slot.Seq)
	reads.await(t, 64) // twice what Next reads by itself
	for _, w := range written[1:] {
		slot, err := log.Next(t.Context())
		require.NoError(t, err)
		require.Equal(t, w.Seq, slot.Seq)
	}
	require.Equal(t, 100, reads.count, "each is read once")
}

// However reads fail, slots come in order, once; also from packs.
func TestReadsThatFailChangeNothing(t *testing.T) {
	for name, packed := range map[string]bool{"slots": false, "packs": true} {
		for _, every := range []int{7, 33, 40} {
			t.Run(fmt.Sprintf("%s, every %d", name, every), func(t *testing.T) {
				e := memzk.New()
				cfg := zklog.Config{MaxSlots: 60}
				written := writeSlots(t, e, 200, cfg)
				if packed {
					cfg.Dialer = e
					require.NoError(t, openLog(t, cfg).log.TrimAndPack(t.Context(), func(context.Context) error { return nil }))
				}
				reads := watchReads(e)
				reads.fails = func(count int) bool { return count%every == 0 && count < 200 }
				cfg.Dialer = reads
				b := openLog(t, cfg)
				require.Equal(t, places(written), places(b.reach(written[len(written)-1].Seq)))
			})
		}
	}
}
