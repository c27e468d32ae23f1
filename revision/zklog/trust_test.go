package zklog_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/memzk"
	"github.com/zkine/zkine/revision/zklog"
	"github.com/zkine/zkine/revision/zkroot"
)

// openError opens a log that must not open.
func openError(t *testing.T, cfg zklog.Config) error {
	t.Helper()
	cfg.Root, cfg.Log = "/zkine", quiet()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	log, err := zklog.Open(ctx, cfg)
	if err == nil {
		require.NoError(t, log.Close())
	}
	require.Error(t, err)
	return err
}

func accept(t *testing.T, e *memzk.Ensemble, id uint64) {
	t.Helper()
	_, err := zklog.Accept(t.Context(), zklog.Config{Dialer: e, Root: "/zkine", ClusterID: id, Log: quiet()}, zkroot.Decision{By: "a test"})
	require.NoError(t, err)
}

// failed waits until a log ends, and returns why, once all it does is over.
func failed(r *reader) error {
	r.t.Helper()
	r.until("stop", func(_ []revision.Slot, err error) bool { return err != nil })
	r.close()
	return r.err
}

func TestOneThatFindsALossHaltsAllOthers(t *testing.T) {
	e := memzk.New()
	a := openLog(t, zklog.Config{Dialer: e, Name: "a"})
	a.append(batchOf(put("a", "1")))
	restore := e.Save()
	a.reach(a.append(batchOf(put("b", "2"))).Seq)
	restore()
	require.ErrorIs(t, failed(a), revision.ErrLogLost)
	require.ErrorIs(t, openError(t, zklog.Config{Dialer: e}), revision.ErrHalted)
	require.ErrorContains(t, openError(t, zklog.Config{Dialer: e}), "holds 1 slots, 2 were known")
	v := verify(t, e)
	require.Empty(t, v.Findings)
	require.Equal(t, "a", v.Halt.By)
	require.EqualValues(t, 1, v.Halt.Slot)

	accept(t, e, a.log.ClusterID())
	require.Nil(t, verify(t, e).Halt)
	b := openLog(t, zklog.Config{Dialer: e})
	b.reach(b.append(batchOf(put("c", "3"))).Seq)
	checkSizes(t, e, b.log) // the record counts
}

// TestNoRaiseEndsAboveTheHighestRevision: zkines would stop at such a record.
func TestNoRaiseEndsAboveTheHighestRevision(t *testing.T) {
	e := memzk.New()
	a := openLog(t, zklog.Config{Dialer: e})
	a.reach(a.append(batchOf(put("a", "1"))).Seq)
	raised := func(by revision.Rev) (*zkroot.Holding, error) {
		return zklog.Accept(t.Context(), zklog.Config{Dialer: e, Root: "/zkine", ClusterID: a.log.ClusterID(), Log: quiet()},
			zkroot.Decision{By: "a test", Raise: by})
	}
	first, err := raised(revision.MaxRev / 2)
	require.NoError(t, err)
	_, err = raised(revision.MaxRev / 2)
	require.ErrorContains(t, err, "raise it by less")
	last, err := raised(revision.MaxRev - first.Decided.RaisedTo)
	require.NoError(t, err)
	require.Equal(t, revision.MaxRev, last.Decided.RaisedTo)
	require.Equal(t, first.Slots+1, last.Slots, "the refused one left no slot")
}

// TestARunningLogStopsAtAHalt has nothing of its own to find.
func TestARunningLogStopsAtAHalt(t *testing.T) {
	e := memzk.New()
	a := openLog(t, zklog.Config{Dialer: e})
	b := openLog(t, zklog.Config{Dialer: e})
	b.reach(a.append(batchOf(put("a", "1"))).Seq)
	require.ErrorIs(t, a.log.Distrust(fmt.Errorf("%w: a test says so; see there", revision.ErrLogLost)), revision.ErrLogLost)
	require.ErrorIs(t, failed(a), revision.ErrLogLost)
	require.ErrorIs(t, failed(b), revision.ErrHalted)
}

func TestNoHaltInAnothersRoot(t *testing.T) {
	e := memzk.New()
	a := openLog(t, zklog.Config{Dialer: e})
	a.reach(a.append(batchOf(put("a", "1"))).Seq)
	e.Remove("/zkine")
	b := openLog(t, zklog.Config{Dialer: e})
	e.Cut()
	require.ErrorIs(t, failed(a), revision.ErrLogLost)
	b.reach(b.append(batchOf(put("b", "1"))).Seq)
	require.NotContains(t, children(t, e, "/zkine"), "trust")
}

// TestADecisionStandsAgainstThoseWhoCameLate has a zkine find the loss after a
// person has decided about it.
func TestADecisionStandsAgainstThoseWhoCameLate(t *testing.T) {
	e := memzk.New()
	h := &hooked{Dialer: e}
	a := openLog(t, zklog.Config{Dialer: h})
	restore := e.Save()
	a.reach(a.append(batchOf(put("a", "1"))).Seq)
	back := make(chan struct{})
	h.set(func() { <-back }, nil)
	restore()
	accept(t, e, a.log.ClusterID())
	close(back)
	err := failed(a)
	require.ErrorIs(t, err, revision.ErrAccepted)
	require.ErrorIs(t, err, revision.ErrLogLost)
	require.Nil(t, verify(t, e).Halt)
}

// TestWhatWasServedIsRecognised starts with what an earlier run remembers.
func TestWhatWasServedIsRecognised(t *testing.T) {
	start := func(t *testing.T) (e *memzk.Ensemble, served zkroot.Served, before, after func()) {
		e = memzk.New()
		a := small(t, e)
		fillTo(a, 2)
		before = e.Save()
		a.reach(a.append(batchOf(put("last", "1"))).Seq)
		served = a.log.Served()
		fillTo(a, 4)
		a.close()
		return e, served, before, func() {
			b := small(t, e)
			fillTo(b, 7)
			b.close()
		}
	}
	t.Run("in the log", func(t *testing.T) {
		e, served, _, _ := start(t)
		openLog(t, zklog.Config{Dialer: e, Served: &served})
	})
	t.Run("packed", func(t *testing.T) {
		e, served, _, _ := start(t)
		b := small(t, e)
		require.NoError(t, b.log.Pack(t.Context(), noPace))
		b.close()
		openLog(t, zklog.Config{Dialer: e, Served: &served})
	})
	t.Run("behind a checkpoint", func(t *testing.T) {
		e, served, _, _ := start(t)
		b := small(t, e)
		b.reach(fillTo(b, 7))
		require.NoError(t, save(b.log, 5))
		require.NoError(t, save(b.log, 6))
		require.NoError(t, b.log.TrimAndPack(t.Context(), noPace))
		b.close()
		openLog(t, zklog.Config{Dialer: e, Served: &served})
	})
	for name, write := range map[string]bool{"lost": false, "lost, and others wrote on": true} {
		t.Run(name, func(t *testing.T) {
			e, served, restore, on := start(t)
			restore()
			if write {
				on()
			}
			require.ErrorIs(t, openError(t, zklog.Config{Dialer: e, Served: &served}), revision.ErrLogLost)
			require.ErrorIs(t, openError(t, zklog.Config{Dialer: e}), revision.ErrHalted)
			accept(t, e, uint64(served.ClusterID))
			again := e.Save()
			c := openLog(t, zklog.Config{Dialer: e, Served: &served})
			c.reach(c.append(batchOf(put("new", "1"))).Seq)
			served = c.log.Served()
			c.close()
			again()
			require.ErrorIs(t, openError(t, zklog.Config{Dialer: e, Served: &served}), revision.ErrLogLost, "a decision is for once")
		})
	}
}

func TestOnlyTheClusterThatWasServed(t *testing.T) {
	e := memzk.New()
	served := zkroot.Served{Root: "/zkine", ClusterID: 0xabc, Revision: 7}
	for name, cfg := range map[string]zklog.Config{"asked for": {ClusterID: 0xabc}, "remembered": {Served: &served}} {
		t.Run(name, func(t *testing.T) {
			cfg.Dialer = e
			err := openError(t, cfg)
			require.ErrorIs(t, err, revision.ErrWrongCluster)
			require.ErrorContains(t, err, "abc")
			require.Empty(t, children(t, e, "/"), "nothing is made")
		})
	}
	a := openLog(t, zklog.Config{Dialer: e, Served: &served, NewCluster: true})
	require.True(t, a.log.Found().Made)
	require.ErrorIs(t, openError(t, zklog.Config{Dialer: e, Served: &served}), revision.ErrWrongCluster)
	require.ErrorIs(t, openError(t, zklog.Config{Dialer: e, ClusterID: 0xabc}), revision.ErrWrongCluster)
	b := openLog(t, zklog.Config{Dialer: e, Served: &served, ClusterID: a.log.ClusterID()})
	require.False(t, b.log.Found().Made)
}

func TestARecordOfNonsenseStopsUntilAPersonDecides(t *testing.T) {
	e := memzk.New()
	a := openLog(t, zklog.Config{Dialer: e})
	accept(t, e, a.log.ClusterID())
	e.Overwrite("/zkine/trust", func([]byte) []byte { return []byte("[") })
	require.ErrorIs(t, failed(a), revision.ErrCorrupt)
	require.Len(t, verify(t, e).Findings, 1)
	require.Equal(t, "/zkine/trust", verify(t, e).Findings[0].Path)
	accept(t, e, a.log.ClusterID())
	openLog(t, zklog.Config{Dialer: e})
}

func TestARootWithoutData(t *testing.T) {
	e := memzk.New()
	r := openLog(t, zklog.Config{Dialer: e})
	r.close()
	look := func(root string, id uint64) error {
		_, err := zklog.Verify(t.Context(), zklog.Config{Dialer: e, Root: root, ClusterID: id, Log: quiet()})
		_, err2 := zklog.Look(t.Context(), zklog.Config{Dialer: e, Root: root, ClusterID: id, Log: quiet()})
		require.Equal(t, err, err2)
		return err
	}
	for _, root := range []string{"/zkin", "/zkine/prod", "/zkine/log"} {
		err := look(root, 0)
		require.ErrorIs(t, err, revision.ErrNoData)
		require.ErrorContains(t, err, root)
		require.ErrorContains(t, err, `there is some under ["/zkine"]`)
	}
	require.ErrorIs(t, look("/zkine", 1), revision.ErrWrongCluster)
}

// TestALogThatHasFailedLetsGo fails one: its session ends, though it was not
// closed yet, and no other is made.
func TestALogThatHasFailedLetsGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := memzk.New()
		d := &answering{Dialer: e}
		r := openLog(t, zklog.Config{Dialer: d})
		before := e.Count("/zkine/members")
		require.NoError(t, r.log.Join(t.Context(), revision.Member{Name: "a", ID: 1}))
		require.Equal(t, before+1, e.Count("/zkine/members"))
		dials := d.dials.Load()
		require.ErrorIs(t, r.log.Distrust(fmt.Errorf("%w: a test says so; see there", revision.ErrCorrupt)), revision.ErrCorrupt)
		time.Sleep(time.Minute)
		require.Equal(t, before, e.Count("/zkine/members"))
		require.Equal(t, dials, d.dials.Load())
		require.ErrorIs(t, failed(r), revision.ErrCorrupt)
	})
}

// TestADecisionStandsAgainstOneThatWasLeftBehind has a zkine that had more than the root
// after a loss be away until a person has decided, and all that it could know the loss by
// was removed. Its state shows it.
func TestADecisionStandsAgainstOneThatWasLeftBehind(t *testing.T) {
	e := memzk.New()
	a := small(t, e)
	fillTo(a, 2)
	restore := e.Save()
	fillTo(a, 4)
	dialer := &cutOff{Dialer: e}
	ahead, err := zklog.Open(t.Context(), zklog.Config{Dialer: dialer, Root: "/zkine", Log: quiet()})
	require.NoError(t, err)
	defer func() { require.NoError(t, ahead.Close()) }()
	var last revision.Slot
	for last.Seq.Segment < 3 {
		last, err = ahead.Next(t.Context())
		require.NoError(t, err)
	}
	mend := dialer.cut()
	a.close()
	restore()
	accept(t, e, ahead.ClusterID())
	b := small(t, e)
	for k := int64(5); k <= 9; k += 2 {
		fillTo(b, k)
		require.NoError(t, save(b.log, k-1))
		require.NoError(t, b.log.TrimAndPack(t.Context(), noPace))
	}
	mend()
	for err == nil {
		_, err = ahead.Next(t.Context())
	}
	require.ErrorIs(t, err, revision.ErrTrimmed)
	require.NoError(t, ahead.Reload(t.Context()))
	err = ahead.Distrust(fmt.Errorf("%w: what the checkpoint holds has another past", revision.ErrLogLost))
	require.ErrorIs(t, err, revision.ErrAccepted)
	require.NoError(t, ahead.Close())
	require.Nil(t, verify(t, e).Halt)
	_, err = ahead.Next(t.Context())
	require.ErrorIs(t, err, revision.ErrAccepted)
	b.reach(b.append(batchOf(put("b", "1"))).Seq)
}
