package recovery

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
)

// opener hands out the log after the newest checkpoint that was made every so many
// slots and is not after what is asked for, as an archive does.
func (l *log) opener(t *testing.T, every int) Opener {
	return func(_ context.Context, until Until) (*Past, error) {
		best, m := l.past(t, 0), state.New()
		best.Revision = 1
		var latest int64
		for i, s := range l.slots {
			m.Apply(s.Slot)
			latest = max(latest, s.Origin.Written)
			v := m.View()
			again := i+1 < len(l.slots) && l.slots[i+1].Nonce == s.Nonce // no segment ends here
			if again || (i+1)%every != 0 || until.Revision > 0 && v.Rev() > until.Revision || !until.Time.IsZero() && latest > until.Time.UnixMilli() {
				continue
			}
			best = l.past(t, i+1)
			best.Revision, best.Time = v.Rev(), time.UnixMilli(latest)
		}
		return best, nil
	}
}

func seconds(n int64) Until { return Until{Time: time.UnixMilli(n * 1000)} }

// value is what a state holds of a key.
func value(t *testing.T, v *state.View, key string) string {
	t.Helper()
	resp, err := v.Range(&pb.RangeRequest{Key: []byte(key)})
	require.NoError(t, err)
	if len(resp.Kvs) == 0 {
		return "-"
	}
	return string(resp.Kvs[0].Value)
}

// TestAt goes to each revision and each time of a log, from checkpoints of every age,
// and finds the state that replaying from the first slot finds.
func TestAt(t *testing.T) {
	l := story()
	for _, every := range []int{1, 2, 3, 100} {
		for rev, want := range map[revision.Rev]string{2: "1", 3: "", 6: "", 7: "-", 8: "txn", 9: "333", 10: "333", 11: "4", 12: "5"} {
			r, err := At(t.Context(), l.opener(t, every), Until{Revision: rev})
			require.NoError(t, err)
			require.Equal(t, rev, r.View.Rev())
			require.Equal(t, want, value(t, r.View, "/a"), "revision %d", rev)
			require.EqualValues(t, 7, r.ClusterID)
		}
		for at, want := range map[int64]revision.Rev{1: 2, 2: 3, 3: 6, 4: 7, 5: 8, 6: 9, 7: 10, 8: 12, 9: 12} {
			r, err := At(t.Context(), l.opener(t, every), seconds(at))
			require.NoError(t, err)
			require.Equal(t, want, r.View.Rev(), "second %d", at)
			require.Equal(t, at >= 8, r.Ends)
			if every == 100 {
				require.Equal(t, min(at, 8), r.Last.Time.Unix())
			}
		}
		end, err := At(t.Context(), l.opener(t, every), Until{})
		require.NoError(t, err)
		require.EqualValues(t, 12, end.View.Rev())
		require.Nil(t, end.Next)

		_, err = At(t.Context(), l.opener(t, every), Until{Revision: 13})
		require.ErrorIs(t, err, ErrTooLate)
		_, err = At(t.Context(), l.opener(t, every), seconds(0))
		require.ErrorIs(t, err, ErrTooEarly)
	}
	_, err := At(t.Context(), func(context.Context, Until) (*Past, error) { return l.past(t, 4), nil }, Until{Revision: 3})
	require.ErrorIs(t, err, ErrTooEarly)
	newest, err := Newest(t.Context(), l.opener(t, 3))
	require.NoError(t, err)
	require.GreaterOrEqual(t, newest, revision.Rev(12))
	require.Less(t, newest, revision.Rev(20))
}

// TestAtWhereClocksDiffer has one clock that is ahead, and one that was put back.
func TestAtWhereClocksDiffer(t *testing.T) {
	l := new(log)
	at := func(sec int64) { l.slots[len(l.slots)-1].Origin.Written = sec * 1000 }
	for i, sec := range []int64{10, 20, 25, 21, 30, 5, 40} {
		l.write(put("/a", fmt.Sprint(i), 0))
		at(sec)
	}
	l.slots[1].Origin = nil // goes with the one before
	r, err := At(t.Context(), func(context.Context, Until) (*Past, error) { return l.past(t, 0), nil }, seconds(24))
	require.NoError(t, err)
	require.Equal(t, "1", value(t, r.View, "/a"), "nothing that was written after it")
	require.EqualValues(t, 25, r.Next.Time.Unix())
	require.Equal(t, 2, r.Later)
	require.EqualValues(t, 5, r.LaterUpTo.Time.Unix())
	require.Equal(t, revision.Seq{Segment: 1, Slot: 5}, r.LaterUpTo.Seq)

	for i := range l.slots {
		l.slots[i].Origin = nil
	}
	_, err = At(t.Context(), func(context.Context, Until) (*Past, error) { return l.past(t, 0), nil }, seconds(24))
	require.ErrorIs(t, err, ErrNoTimes)
}

// TestAtWhereAClockWasFarAhead has a member whose clock was hours ahead for one batch: what
// others wrote after that is not in the state, and that is told.
func TestAtWhereAClockWasFarAhead(t *testing.T) {
	l := new(log)
	for i, sec := range []int64{10, 50_000, 20, 30, 40} {
		l.write(put("/a", fmt.Sprint(i), 0))
		l.slots[len(l.slots)-1].Origin.Written = sec * 1000
	}
	r, err := At(t.Context(), func(context.Context, Until) (*Past, error) { return l.past(t, 0), nil }, seconds(35))
	require.NoError(t, err)
	require.Equal(t, "0", value(t, r.View, "/a"))
	require.Equal(t, 2, r.Later)
	require.EqualValues(t, 30, r.LaterUpTo.Time.Unix())
}

// TestAtWithoutTimes has a checkpoint whose time is known, and batches that say nothing: they
// may have been written at any time since.
func TestAtWithoutTimes(t *testing.T) {
	l := new(log)
	for i := range 5 {
		l.write(put("/a", fmt.Sprint(i), 0))
		l.slots[i].Origin = nil
	}
	covered := func(n int) Opener {
		return func(context.Context, Until) (*Past, error) {
			p := l.past(t, n)
			p.Time = time.Unix(10, 0)
			return p, nil
		}
	}
	_, err := At(t.Context(), covered(2), seconds(24))
	require.ErrorIs(t, err, ErrNoTimes)
	r, err := At(t.Context(), covered(5), seconds(24))
	require.NoError(t, err, "there is nothing behind the checkpoint")
	require.Equal(t, "4", value(t, r.View, "/a"))
}

// TestAtWithAHole needs what is missing, or does not.
func TestAtWithAHole(t *testing.T) {
	l := story()
	hole := errors.New("a part is missing")
	holed := func(context.Context, Until) (*Past, error) {
		p := cut(l.past(t, 0), 5)
		whole := p.Slots
		p.Slots = func(ctx context.Context) iter.Seq2[Slot, error] {
			return func(yield func(Slot, error) bool) {
				for s, err := range whole(ctx) {
					if err != nil {
						err = hole
					}
					if !yield(s, err) {
						return
					}
				}
			}
		}
		return p, nil
	}
	_, err := At(t.Context(), holed, Until{})
	require.ErrorIs(t, err, hole)
	_, err = At(t.Context(), holed, seconds(6))
	require.ErrorIs(t, err, hole)
	r, err := At(t.Context(), holed, seconds(4))
	require.NoError(t, err)
	require.EqualValues(t, 7, r.View.Rev())
	r, err = At(t.Context(), holed, Until{Revision: 8})
	require.NoError(t, err)
	require.False(t, r.Ends && r.Next != nil)
	newest, err := Newest(t.Context(), holed)
	require.ErrorIs(t, err, hole)
	require.GreaterOrEqual(t, newest, revision.Rev(8))
}

// TestReopen has a state of the past served again: with other leases' times, without
// alarms, and above all that was seen.
func TestReopen(t *testing.T) {
	l := new(log)
	l.write(grant(5), grant(6), put("/a", "1", 5), put("/b", "2", 0))
	l.write(&recordpb.Request{Kind: &recordpb.Request_LeaseRemaining{LeaseRemaining: &recordpb.LeaseRemaining{Id: 5, Renewed: 1, RemainingTtl: 9}}})
	l.write(&recordpb.Request{Kind: &recordpb.Request_Alarm{Alarm: &pb.AlarmRequest{Action: pb.AlarmRequest_ACTIVATE, Alarm: pb.AlarmType_NOSPACE, MemberID: 3}}})
	open := func(context.Context, Until) (*Past, error) { return l.past(t, 0), nil }
	for _, raise := range []revision.Rev{0, 1000} {
		r, err := At(t.Context(), open, Until{})
		require.NoError(t, err)
		require.Len(t, r.View.Alarms(), 1)
		v, err := r.Reopen(raise)
		require.NoError(t, err)
		require.Empty(t, v.Alarms())
		lease, _ := v.Lease(5)
		require.Zero(t, lease.Remaining)
		require.EqualValues(t, 60, lease.TTL)
		require.Equal(t, 1, lease.NumKeys())
		require.Equal(t, "1", value(t, v, "/a"))
		require.Equal(t, max(raise, 3), v.Rev())
		if raise > 0 {
			require.Equal(t, raise, v.CompactRev())
		}
	}
	r, err := At(t.Context(), open, Until{})
	require.NoError(t, err)
	_, err = r.Reopen(1 << 62)
	require.ErrorIs(t, err, state.ErrMalformed)
	r, err = At(t.Context(), open, Until{})
	require.NoError(t, err)
	_, err = r.Reopen(2)
	require.ErrorIs(t, err, ErrTooHigh)
}

// TestRandomPasts has random logs, and goes to random revisions from random checkpoints:
// each time HashKV is what it was when the log was written.
func TestRandomPasts(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 17))
	for range 20 {
		l, one, m, newest := new(log), new(log), state.New(), revision.Rev(1)
		hashes := map[revision.Rev]uint32{}
		for range 60 {
			var requests []*recordpb.Request
			for range 1 + rng.IntN(4) {
				key := fmt.Sprint("/", rng.IntN(9))
				switch rng.IntN(9) {
				case 0:
					requests = append(requests, remove(key))
				case 1:
					requests = append(requests, compact(int64(m.View().Rev())-rng.Int64N(9)))
				case 2:
					requests = append(requests, txn(key, "/x"))
				case 3:
					requests = append(requests, grant(rng.Int64N(4)), expire(rng.Int64N(4), rng.Uint64N(100)))
				default:
					requests = append(requests, put(key, fmt.Sprint(rng.Uint64()), rng.Int64N(3)))
				}
			}
			l.write(requests...)
			for _, r := range requests { // one by one, as no zkine would
				one.write(r)
				m.Apply(one.slots[len(one.slots)-1].Slot)
				if v := m.View(); v.Rev() > newest {
					newest = v.Rev()
					hash, err := v.HashKV(0)
					require.NoError(t, err)
					hashes[newest] = hash.Hash
				}
			}
		}
		for rev, want := range hashes {
			r, err := At(t.Context(), l.opener(t, 1+rng.IntN(20)), Until{Revision: rev})
			require.NoError(t, err)
			got, err := r.View.HashKV(0)
			require.NoError(t, err)
			require.Equal(t, want, got.Hash, "revision %d", rev)
		}
	}
}
