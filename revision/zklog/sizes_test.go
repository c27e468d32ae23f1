package zklog_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/memzk"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zklog"
)

// small data of the root, format, log, segments and the like is no part of
// what Sizes tells.
const rootBytes = 4 << 10

// checkSizes compares a log's sizes, measured again, with the whole tree.
func checkSizes(t *testing.T, e *memzk.Ensemble, log *zklog.Log) revision.Sizes {
	t.Helper()
	require.NoError(t, log.Measure(t.Context()))
	s := log.Sizes()
	require.InDelta(t, e.Bytes("/zkine"), s.Total(), rootBytes)
	require.Equal(t, e.Bytes("/zkine/pack"), s.Packed)
	require.Equal(t, e.Bytes("/zkine/stage"), s.Staged)
	require.LessOrEqual(t, s.Live, s.Kept)
	require.LessOrEqual(t, s.Kept, s.Total())
	require.InDelta(t, e.Count("/zkine"), s.Znodes, float64(3*len(children(t, e, "/zkine/log"))), "but for folders")
	return s
}

// TestSizesAreThoseOfTheTree compares what each member believes with what
// there is, through packing, checkpoints and trimming by another one.
func TestSizesAreThoseOfTheTree(t *testing.T) {
	e, a := filled(t)
	b := small(t, e)
	end := fillTo(a, 4)
	b.reach(end)
	both := func() (s revision.Sizes) {
		t.Helper()
		end, err := a.log.Barrier(t.Context())
		require.NoError(t, err)
		a.reach(end)
		b.reach(end)
		s = checkSizes(t, e, a.log)
		require.Equal(t, s, checkSizes(t, e, b.log))
		return s
	}
	s := both()
	require.Greater(t, s.Staged, int64(300_000))
	require.Zero(t, s.Packed+s.Checkpoint)
	require.Equal(t, s.Total(), s.Live)

	require.NoError(t, a.log.Pack(t.Context(), noPace))
	packed := both()
	require.Positive(t, packed.Packed)
	require.Less(t, packed.Znodes, s.Znodes)
	require.Equal(t, s.Staged, packed.Staged)

	require.NoError(t, save(a.log, 3))
	s = both()
	require.Greater(t, s.Checkpoint, int64(200_000))
	require.Less(t, s.Live, s.Total(), "the checkpointed log is not needed any more")

	fillTo(a, 6)
	require.NoError(t, save(a.log, 5))
	s = both()
	require.Less(t, s.Kept, s.Total(), "the log that the checkpoint before covers is needless")
	require.NoError(t, a.log.TrimAndPack(t.Context(), noPace))
	s = both()
	require.Zero(t, s.Staged, "gone with its segment")
	require.Less(t, s.Live, s.Kept, "the checkpoint before stays")
	require.InDelta(t, s.Total(), s.Kept, rootBytes, "all that is left is kept on purpose")
	c := checkLoaded(t, e, 5)
	end, err := a.log.Barrier(t.Context())
	require.NoError(t, err)
	c.reach(end)
	require.InDelta(t, s.Total(), checkSizes(t, e, c.log).Total(), rootBytes, "known to one that starts, too")
}

// TestSizesCountWhatNothingNames ends a checkpoint half way.
func TestSizesCountWhatNothingNames(t *testing.T) {
	e := memzk.New()
	a := small(t, e)
	fillTo(a, 3)
	chunks := 0
	e.SetFault(func(ops []any) memzk.Fault {
		if touches(ops, "/checkpoint/") {
			if chunks++; chunks == 4 {
				return memzk.LoseRequest
			}
		}
		return memzk.None
	})
	require.Error(t, save(a.log, 2))
	e.SetFault(nil)
	s := checkSizes(t, e, a.log)
	require.Positive(t, s.Checkpoint)
	require.Equal(t, s.Total()-s.Checkpoint, s.Live)
}

func touches(ops []any, part string) bool {
	for _, op := range ops {
		if strings.Contains(zkclient.PathOf(op), part) {
			return true
		}
	}
	return false
}

// TestSeal ends a segment on request, through faults, and only that one.
func TestSeal(t *testing.T) {
	e := memzk.New()
	a := small(t, e)
	a.append(batchOf(put("k", "v")))
	for _, fault := range []memzk.Fault{memzk.None, memzk.LoseRequest, memzk.LoseReply} {
		open := a.log.Head().Segment
		struck := false
		e.SetFault(func(ops []any) memzk.Fault {
			if struck || len(ops) < 3 {
				return memzk.None
			}
			struck = true
			return fault
		})
		require.NoError(t, a.log.Seal(t.Context(), open))
		e.SetFault(nil)
		require.Equal(t, open+1, a.append(batchOf(put("k", "v"))).Seq.Segment)
		require.NoError(t, a.log.Seal(t.Context(), open), "sealed before")
		require.Equal(t, open+1, a.append(batchOf(put("k", "v"))).Seq.Segment)
	}
}
