package zklog_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zklog"
)

// reader consumes a log as the apply loop does.
type reader struct {
	t   testing.TB
	log *zklog.Log

	mu      sync.Mutex
	slots   []revision.Slot
	changed chan struct{}
	err     error
	cancel  context.CancelFunc
	done    chan struct{}
}

func openLog(t testing.TB, cfg zklog.Config) *reader {
	t.Helper()
	if cfg.Root == "" {
		cfg.Root = "/zkine"
	}
	cfg.Log = quiet()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	log, err := zklog.Open(ctx, cfg)
	require.NoError(t, err)
	return consume(t, log)
}

func consume(t testing.TB, log *zklog.Log) *reader {
	ctx, cancel := context.WithCancel(context.Background())
	r := &reader{t: t, log: log, changed: make(chan struct{}), cancel: cancel, done: make(chan struct{})}
	go r.run(ctx)
	t.Cleanup(r.close)
	return r
}

// close may be called more than once.
func (r *reader) close() {
	r.cancel()
	<-r.done
	require.NoError(r.t, r.log.Close())
}

func (r *reader) run(ctx context.Context) {
	defer close(r.done)
	for {
		slot, err := r.log.Next(ctx)
		r.mu.Lock()
		if err != nil {
			r.err = err
		} else {
			r.slots = append(r.slots, slot)
		}
		close(r.changed)
		r.changed = make(chan struct{})
		r.mu.Unlock()
		if err != nil {
			return
		}
		r.log.Applied(slot.Seq, revision.Rev(len(r.slots)+1))
	}
}

// until waits for a condition on what was read.
func (r *reader) until(what string, cond func(slots []revision.Slot, err error) bool) []revision.Slot {
	r.t.Helper()
	timeout := time.After(30 * time.Second)
	for {
		r.mu.Lock()
		slots, err, changed := r.slots, r.err, r.changed
		r.mu.Unlock()
		if cond(slots, err) {
			return slots
		}
		select {
		case <-changed:
		case <-timeout:
			require.FailNow(r.t, "timed out", "%s: %d slots, error %v", what, len(slots), err)
		}
	}
}

func (r *reader) reach(seq revision.Seq) []revision.Slot {
	r.t.Helper()
	return r.until(fmt.Sprintf("reach %v", seq), func(slots []revision.Slot, _ error) bool {
		return seq == (revision.Seq{}) || len(slots) > 0 && !slots[len(slots)-1].Seq.Before(seq)
	})
}

func (r *reader) append(b *revision.Batch) revision.Appended {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	out, err := r.log.Append(ctx, b)
	require.NoError(r.t, err)
	return out
}
