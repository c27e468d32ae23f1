package zklog_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision/zklog"
	"github.com/zkine/zkine/revision/zktest"
)

// TestAFrozenLeaderCostsNoMoreThanItsElection freezes the leader of an ensemble
// under three logs, and lets it wake once another leads. From the moment in which
// a plain client is served, each log appends within a second, in which this process
// does not wait for a processor.
func TestAFrozenLeaderCostsNoMoreThanItsElection(t *testing.T) {
	e := zktest.StartEnsemble(t, 3)
	var logs []*reader
	for i := range 3 {
		z := lasting(e.Addrs()...)
		z.Timeout, z.PreferLeader = 10*time.Second, true
		logs = append(logs, openLog(t, zklog.Config{Dialer: z, Name: fmt.Sprint("z", i)}))
	}
	waits := zktest.MeasureWaits(t)
	for trial := range 2 {
		for _, r := range logs {
			r.append(batchOf(put("a", fmt.Sprint(trial))))
		}
		leader := e.Leader()
		leader.Pause()
		var work sync.WaitGroup
		appended := make([]time.Time, len(logs))
		for i, r := range logs {
			work.Go(func() {
				// What the frozen leader has already may be acknowledged by others; a
				// second append is answered by the next leader.
				for range 2 {
					if _, err := r.log.Append(t.Context(), batchOf(put("b", fmt.Sprint(trial)))); err != nil {
						t.Error(err)
					}
				}
				appended[i] = time.Now()
			})
		}
		served := awaitServed(t, e, leader)
		work.Wait()
		for i, at := range appended {
			took := waits.Between(served, at)
			t.Logf("trial %d: log %d appended %v after a plain client was served", trial, i, took.Round(time.Millisecond))
			require.Less(t, took, time.Second)
		}
		leader.Resume()
		leader.Ready()
	}
}

// awaitServed returns when a server but the frozen one grants sessions.
func awaitServed(t *testing.T, e *zktest.Ensemble, frozen *zktest.Server) time.Time {
	t.Helper()
	served := make(chan time.Time, len(e.Servers))
	ctx, cancel := context.WithTimeout(t.Context(), outlasting)
	defer cancel()
	for _, s := range e.Servers {
		if s == frozen {
			continue
		}
		go func() {
			for ctx.Err() == nil {
				asking, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
				serves := zktest.Serves(asking, s.Addr())
				cancel()
				if serves {
					served <- time.Now()
					return
				}
				time.Sleep(20 * time.Millisecond) // between two questions
			}
		}()
	}
	select {
	case at := <-served:
		return at
	case <-ctx.Done():
		t.Fatal("no server serves")
		return time.Time{}
	}
}
