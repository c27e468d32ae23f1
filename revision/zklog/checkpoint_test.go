package zklog_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/memzk"
	"github.com/zkine/zkine/revision/zklog"
)

func noPace(context.Context) error { return nil }

// fillTo appends until the open segment is k, and returns the last place.
func fillTo(r *reader, k int64) (last revision.Seq) {
	for i := 0; last.Segment < k; i++ {
		last = r.append(batchOf(put(fmt.Sprint(k, "/", i), strings.Repeat("value ", i%50)))).Seq
	}
	r.reach(last)
	return last
}

// chunksOf makes a checkpoint's keys: n chunks, of which the last is new with
// each segment.
func chunksOf(n int, segment int64) (chunks [][]byte) {
	for i := range n {
		chunks = append(chunks, incompressible(10_000+1000*i))
	}
	return append(chunks, incompressible(200_000), fmt.Appendf(nil, "segment %d", segment))
}

func save(log *zklog.Log, segment int64) error {
	return log.SaveCheckpoint(context.Background(), segment, revision.Rev(segment*10), fmt.Appendf(nil, "meta %d", segment),
		func(yield func([]byte) bool) error {
			for _, c := range chunksOf(5, segment) {
				if !yield(c) {
					return nil
				}
			}
			return nil
		}, noPace)
}

// checkLoaded opens another log and expects to start after a checkpoint.
func checkLoaded(t *testing.T, e *memzk.Ensemble, segment int64) *reader {
	t.Helper()
	r := openLog(t, zklog.Config{Dialer: e, MaxSlots: 8, MaxRequest: 100 << 10})
	cp, found := r.log.Checkpoint()
	require.True(t, found)
	require.Equal(t, segment, cp.Segment)
	require.Equal(t, fmt.Sprint("meta ", segment), string(cp.Meta))
	var chunks [][]byte
	for chunk, err := range cp.Chunks(t.Context()) {
		require.NoError(t, err)
		chunks = append(chunks, chunk)
	}
	require.Equal(t, chunksOf(5, segment), chunks)
	return r
}

// small is a log of small segments and requests.
func small(t *testing.T, e *memzk.Ensemble) *reader {
	return openLog(t, zklog.Config{Dialer: e, MaxSlots: 8, MaxRequest: 100 << 10})
}

func TestCheckpointsReplaceTheLog(t *testing.T) {
	e := memzk.New()
	a := small(t, e)
	fillTo(a, 3)
	require.NoError(t, save(a.log, 2))
	first := e.Count("/zkine/checkpoint")
	require.ErrorIs(t, save(a.log, 2), revision.ErrNotNeeded)
	fillTo(a, 5)
	require.NoError(t, save(a.log, 4))
	require.Less(t, e.Count("/zkine/checkpoint")-first, 6, "unchanged chunks are taken over")
	require.NoError(t, a.log.TrimAndPack(t.Context(), noPace))
	for _, name := range children(t, e, "/zkine/log") {
		require.False(t, strings.HasPrefix(name, "1-") || strings.HasPrefix(name, "2-"), name)
	}
	end := fillTo(a, 6)
	b := checkLoaded(t, e, 4)
	slots := b.reach(end)
	require.Equal(t, revision.Seq{Segment: 5, Slot: 0}, slots[0].Seq)
	fillTo(a, 7)
	require.NoError(t, save(a.log, 6))
	require.NoError(t, a.log.TrimAndPack(t.Context(), noPace))
	checkLoaded(t, e, 6)
	v := verify(t, e)
	require.Empty(t, v.Findings)
	require.EqualValues(t, 6, v.CheckpointSegment)
	require.Equal(t, 3, len(children(t, e, "/zkine/log")), "segments after the previous checkpoint")
}

// TestTrimmingKeepsTheLastSlot has the newest segments empty, as after a server
// that closes on large requests, and both checkpoints behind the last slot. A
// barrier names the last slot, so that its segment must stay.
func TestTrimmingKeepsTheLastSlot(t *testing.T) {
	e := memzk.New()
	a := small(t, e)
	end := fillTo(a, 3)
	e.SetFault(func(ops []any) memzk.Fault {
		for _, op := range ops {
			if create, ok := op.(*zk.CreateRequest); ok && len(create.Data) > 40_000 {
				return memzk.LoseRequest
			}
		}
		return memzk.None
	})
	_, err := a.log.Append(t.Context(), batchOf(put("large", string(incompressible(90_000)))))
	require.ErrorIs(t, err, revision.ErrTooLarge)
	e.SetFault(nil)
	require.Len(t, children(t, e, "/zkine/log"), int(end.Segment)+2, "two segments without a slot")
	require.NoError(t, save(a.log, end.Segment))
	require.NoError(t, save(a.log, end.Segment+1))
	require.NoError(t, a.log.TrimAndPack(t.Context(), noPace))
	for _, r := range []*reader{a, checkLoaded(t, e, end.Segment+1)} {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		at, err := r.log.Barrier(ctx)
		cancel()
		require.NoError(t, err)
		require.Equal(t, end, at)
	}
}

func TestPackedSlotsReadTheSame(t *testing.T) {
	e, a := filled(t)
	fillTo(a, 6)
	before := e.Count("/zkine/log")
	require.NoError(t, a.log.Pack(t.Context(), noPace))
	require.Less(t, e.Count("/zkine/log")+e.Count("/zkine/pack"), before)
	require.Empty(t, verify(t, e).Findings)
	end, err := a.log.Barrier(t.Context())
	require.NoError(t, err)
	b := small(t, e)
	require.Equal(t, places(a.reach(end)), places(b.reach(end)))
	require.True(t, bytes.Equal(incompressible(300_000), b.slots[0].Requests[0].GetPut().Value), "staged parts stay")
	e.Cut() // the last slot is recognised, packed or not
	a.append(batchOf(put("k", "v")))
}

// TestHousekeepingSurvivesAnEndAtEachStep loses the connection at each write of
// a checkpoint and of the housekeeping after it, before or after it took
// effect, and then does it all again.
func TestHousekeepingSurvivesAnEndAtEachStep(t *testing.T) {
	for _, fault := range []memzk.Fault{memzk.LoseRequest, memzk.LoseReply, memzk.Late} {
		for step := 0; ; step++ {
			e := memzk.New()
			a := small(t, e)
			fillTo(a, 3)
			require.NoError(t, save(a.log, 2))
			end := fillTo(a, 5)
			before := places(a.reach(end))
			left := step
			e.SetFault(func([]any) memzk.Fault {
				if left--; left == -1 {
					return fault
				}
				return memzk.None
			})
			err := errors.Join(save(a.log, 4), a.log.TrimAndPack(t.Context(), noPace))
			e.SetFault(nil)
			e.ReleaseLate()
			if err == nil && left >= 0 {
				t.Logf("fault %v: %d steps", fault, step)
				break // there are no more steps
			}
			if err := save(a.log, 4); err != nil {
				require.ErrorIs(t, err, revision.ErrNotNeeded)
			}
			require.NoError(t, a.log.TrimAndPack(t.Context(), noPace), "step %d", step)
			b := checkLoaded(t, e, 4)
			end, err = a.log.Barrier(t.Context())
			require.NoError(t, err)
			slots := places(b.reach(end))
			require.Equal(t, before[len(before)-len(slots):], slots)
			require.Empty(t, verify(t, e).Findings)
			a.close()
			b.close()
		}
	}
}

// TestTwoKeepersAtOnce lets two logs checkpoint and clean up while faults
// strike, and a third one read it all.
func TestTwoKeepersAtOnce(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 3))
	e := memzk.New()
	keepers := []*reader{small(t, e), small(t, e)}
	for k := int64(2); k < 12; k += 2 {
		end := fillTo(keepers[0], k+1)
		keepers[1].reach(end)
		e.SetFault(func([]any) memzk.Fault {
			if rng.IntN(15) == 0 {
				return []memzk.Fault{memzk.LoseRequest, memzk.LoseReply, memzk.Late}[rng.IntN(3)]
			}
			return memzk.None
		})
		done := make(chan struct{})
		for _, keeper := range keepers {
			go func() {
				defer func() { done <- struct{}{} }()
				for range 3 {
					save(keeper.log, k)                                  //nolint:errcheck // faults strike; judged below
					keeper.log.TrimAndPack(context.Background(), noPace) //nolint:errcheck // likewise
				}
			}()
		}
		<-done
		<-done
		e.SetFault(nil)
		e.ReleaseLate()
		if err := save(keepers[0].log, k); err != nil {
			require.ErrorIs(t, err, revision.ErrNotNeeded)
		}
		require.NoError(t, keepers[0].log.TrimAndPack(t.Context(), noPace))
		require.Empty(t, verify(t, e).Findings)
		b := checkLoaded(t, e, k)
		b.reach(end)
		b.close()
	}
}
