package zkseed_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/go-zookeeper/zk"
	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/memzk"
	"github.com/zkine/zkine/revision/zklog"
	"github.com/zkine/zkine/revision/zkroot"
	"github.com/zkine/zkine/revision/zkseed"
	"github.com/zkine/zkine/revision/zktest"
)

func TestMain(m *testing.M) { zktest.Main(m) }

const root = "/parent/zkine"

func quiet() *logrus.Entry {
	l := logrus.New()
	l.SetLevel(logrus.PanicLevel)
	return logrus.NewEntry(l)
}

func config(e *memzk.Ensemble) zkseed.Config {
	return zkseed.Config{Dialer: e, Root: root, MaxRequest: 64 << 10, By: "a test", Log: quiet()}
}

// chunks are n, of which some take several parts.
func chunks(n int, seed uint64) (all [][]byte) {
	random := rand.NewChaCha8([32]byte{byte(seed)})
	for i := range n {
		c := make([]byte, 1000+60_000*(i%3))
		_, _ = random.Read(c)
		all = append(all, c)
	}
	return all
}

func seeding(source string, all [][]byte) *zkseed.Seeding {
	return &zkseed.Seeding{Source: source, Revision: 42, Meta: []byte("meta of " + source), Chunks: func(yield func([]byte) bool) error {
		for _, c := range all {
			if !yield(c) {
				break
			}
		}
		return nil
	}}
}

// requireSeeded opens the root as a zkine does, and finds the checkpoint.
func requireSeeded(t *testing.T, e *memzk.Ensemble, source string, all [][]byte) {
	t.Helper()
	log, err := zklog.Open(t.Context(), zklog.Config{Dialer: e, Root: root, Log: quiet()})
	require.NoError(t, err)
	defer log.Close()
	cp, found := log.Checkpoint()
	require.True(t, found)
	require.Equal(t, zkseed.Place.Segment, cp.Segment)
	require.Equal(t, "meta of "+source, string(cp.Meta))
	var got [][]byte
	for c, err := range cp.Chunks(t.Context()) {
		require.NoError(t, err)
		got = append(got, c)
	}
	require.True(t, len(got) == len(all))
	for i := range got {
		require.True(t, bytes.Equal(all[i], got[i]), "chunk %d", i)
	}
	at, err := log.Barrier(t.Context())
	require.NoError(t, err)
	require.False(t, zkseed.Place.Before(at), "a seeded state has applied all there is")
	batch := &revision.Batch{}
	batch.Nonce[0] = 7
	appended, err := log.Append(t.Context(), batch)
	require.NoError(t, err)
	require.Equal(t, revision.Seq{Segment: 2}, appended.Seq)
	v, err := zklog.Verify(t.Context(), zklog.Config{Dialer: e, Root: root, Log: quiet()})
	require.NoError(t, err)
	require.Empty(t, v.Findings)
	require.Zero(t, e.Count(root+"/unfinished"))
}

func TestSeed(t *testing.T) {
	e, all := memzk.New(), chunks(8, 1)
	s, raw, verified := seeding("a file", all), 0, false
	s.Wrote = func(n int) { raw += n }
	s.Verify = func(ctx context.Context, cp *revision.Checkpoint) error {
		verified = true
		n := 0
		for c, err := range cp.Chunks(ctx) {
			require.NoError(t, err)
			require.True(t, bytes.Equal(all[n], c))
			n++
		}
		require.Len(t, all, n)
		// Until the end there is no root, and a zkine that starts says why.
		_, err := zklog.Open(ctx, zklog.Config{Dialer: e, Root: root, Log: quiet()})
		require.ErrorIs(t, err, revision.ErrUnfinished)
		require.ErrorContains(t, err, "a test")
		require.ErrorContains(t, err, "a file")
		_, err = zklog.Look(ctx, zklog.Config{Dialer: e, Root: root, Log: quiet()})
		require.ErrorIs(t, err, revision.ErrUnfinished)
		return nil
	}
	require.NoError(t, zkseed.Check(t.Context(), config(e)))
	made, err := zkseed.Seed(t.Context(), config(e), s)
	require.NoError(t, err)
	require.True(t, verified)
	require.Equal(t, 8, made.Chunks)
	require.Zero(t, made.Taken)
	sum := 0
	for _, c := range all {
		sum += len(c)
	}
	require.Equal(t, sum, raw)
	requireSeeded(t, e, "a file", all)
	_, err = zkseed.Seed(t.Context(), config(e), seeding("a file", all))
	require.ErrorIs(t, err, zkseed.ErrNotEmpty)
	require.ErrorContains(t, err, made.ClusterID.String())
	require.ErrorIs(t, zkseed.Check(t.Context(), config(e)), zkseed.ErrNotEmpty)
}

// faulty fails the n-th write of an ensemble, by turns before and after it took effect.
func faulty(e *memzk.Ensemble, n int, fault memzk.Fault, then func()) (writes func() int) {
	var mu sync.Mutex
	count := 0
	e.SetFault(func(ops []any) memzk.Fault {
		mu.Lock()
		defer mu.Unlock()
		if _, isCheck := ops[0].(*zk.CheckVersionRequest); isCheck && len(ops) == 1 {
			return memzk.None // a barrier
		}
		if count++; count == n {
			then()
			return fault
		}
		return memzk.None
	})
	return func() int { mu.Lock(); defer mu.Unlock(); return count }
}

// TestAcceptRaisesAboveASeededState to which nothing was written yet: of its revision the
// checkpoint tells alone.
func TestAcceptRaisesAboveASeededState(t *testing.T) {
	e := memzk.New()
	made, err := zkseed.Seed(t.Context(), config(e), seeding("a file", chunks(1, 1)))
	require.NoError(t, err)
	cfg := zklog.Config{Dialer: e, Root: root, ClusterID: uint64(made.ClusterID), Log: quiet()}
	h, err := zklog.Accept(t.Context(), cfg, zkroot.Decision{By: "a test", Raise: 10})
	require.NoError(t, err)
	require.EqualValues(t, 42, h.Revision)
	require.EqualValues(t, 52, h.Decided.RaisedTo)
}

// TestEndedAtEachWrite ends a seeding at each of its writes, before and after it took
// effect. Then one of the same source goes on, or another one.
func TestEndedAtEachWrite(t *testing.T) {
	all, others := chunks(5, 1), chunks(4, 2)
	e := memzk.New()
	writes := faulty(e, 0, memzk.None, func() {})
	_, err := zkseed.Seed(t.Context(), config(e), seeding("a", all))
	require.NoError(t, err)
	for n := 1; n <= writes(); n++ {
		for _, fault := range []memzk.Fault{memzk.LoseRequest, memzk.LoseReply} {
			for _, source := range []string{"a", "b"} {
				endedAt(t, n, fault, source, all, others)
			}
		}
	}
}

func endedAt(t *testing.T, n int, fault memzk.Fault, source string, all, others [][]byte) {
	t.Helper()
	e := memzk.New()
	ctx, cancel := context.WithCancelCause(t.Context())
	faulty(e, n, fault, func() { cancel(errors.New("killed")) })
	_, err := zkseed.Seed(ctx, config(e), seeding("a", all))
	e.SetFault(nil)
	name := fmt.Sprintf("write %d, fault %v, then %s", n, fault, source)
	if err == nil {
		requireSeeded(t, e, "a", all)
		return
	}
	want := all
	if source != "a" {
		want = others
	}
	made, err := zkseed.Seed(t.Context(), config(e), seeding(source, want))
	if errors.Is(err, zkseed.ErrNotEmpty) { // it was the last step, and took effect
		require.Equal(t, memzk.LoseReply, fault, name)
		requireSeeded(t, e, "a", all)
		return
	}
	require.NoError(t, err, name)
	if source == "a" && n > 12 {
		require.Positive(t, made.Taken, name)
	}
	requireSeeded(t, e, source, want)
	attempts, err := dial(t, e).Children(t.Context(), root+"/checkpoint")
	require.NoError(t, err)
	require.Len(t, attempts, 1, name)
}

func dial(t *testing.T, e *memzk.Ensemble) interface {
	Children(context.Context, string) ([]string, error)
	Multi(context.Context, ...any) ([]zk.MultiResponse, error)
} {
	t.Helper()
	conn, err := e.Dial(t.Context())
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	return conn
}

// TestConnectionsAreLost at each write: one seeding comes through.
func TestConnectionsAreLost(t *testing.T) {
	e, all := memzk.New(), chunks(5, 1)
	var mu sync.Mutex
	count := 0
	e.SetFault(func([]any) memzk.Fault {
		mu.Lock()
		defer mu.Unlock()
		count++
		return []memzk.Fault{memzk.None, memzk.LoseRequest, memzk.None, memzk.LoseReply, memzk.None}[count%5]
	})
	_, err := zkseed.Seed(t.Context(), config(e), seeding("a", all))
	require.NoError(t, err)
	e.SetFault(nil)
	requireSeeded(t, e, "a", all)
}

// TestTheLaterOneGoesOn: of two at once the earlier one ends, by name.
func TestTheLaterOneGoesOn(t *testing.T) {
	e, all := memzk.New(), chunks(5, 1)
	first := seeding("a", all)
	first.Chunks = func(yield func([]byte) bool) error {
		yield(all[0])
		_, err := zkseed.Seed(t.Context(), config(e), seeding("a", all))
		require.NoError(t, err)
		yield(all[1])
		return nil
	}
	_, err := zkseed.Seed(t.Context(), config(e), first)
	require.ErrorIs(t, err, zkseed.ErrOvertaken)
	requireSeeded(t, e, "a", all)
}

func TestWhatIsNotAnEmptyRoot(t *testing.T) {
	e := memzk.New()
	conn := dial(t, e)
	_, err := conn.Multi(t.Context(), &zk.CreateRequest{Path: "/parent"}, &zk.CreateRequest{Path: root},
		&zk.CreateRequest{Path: root + "/foreign", Data: []byte("x")})
	require.NoError(t, err)
	_, err = zkseed.Seed(t.Context(), config(e), seeding("a", nil))
	require.ErrorIs(t, err, revision.ErrForeignRoot)
	require.ErrorContains(t, err, "foreign")
}

// TestAnErrorLeavesNoRoot: one of the source, and one of the verification.
func TestAnErrorLeavesNoRoot(t *testing.T) {
	e, all := memzk.New(), chunks(5, 1)
	failed := errors.New("the file cannot be read")
	s := seeding("a", all)
	s.Chunks = func(yield func([]byte) bool) error { yield(all[0]); return failed }
	_, err := zkseed.Seed(t.Context(), config(e), s)
	require.ErrorIs(t, err, failed)
	s = seeding("a", all)
	s.Verify = func(context.Context, *revision.Checkpoint) error { return failed }
	_, err = zkseed.Seed(t.Context(), config(e), s)
	require.ErrorIs(t, err, failed)
	_, err = zklog.Open(t.Context(), zklog.Config{Dialer: e, Root: root, Log: quiet()})
	require.ErrorIs(t, err, revision.ErrUnfinished)
	_, err = zkseed.Seed(t.Context(), config(e), seeding("a", all))
	require.NoError(t, err)
	requireSeeded(t, e, "a", all)
}
