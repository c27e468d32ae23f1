package zklog_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/memzk"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zklog"
	"github.com/zkine/zkine/revision/zktest"
)

// inCompany joins logs, and has each know of the others.
func inCompany(t *testing.T, logs ...*reader) {
	t.Helper()
	for i, r := range logs {
		require.NoError(t, r.log.Join(t.Context(), revision.Member{Name: fmt.Sprint(i), ID: uint64(i + 1)}))
	}
	for _, r := range logs {
		members, err := r.log.Members(t.Context())
		require.NoError(t, err)
		require.Len(t, members, len(logs))
	}
}

// TestAForeignSlotTakesOneRead: what tells a follower how many slots there are
// brings a small one, too, so that it reads once for each, not twice.
func TestAForeignSlotTakesOneRead(t *testing.T) {
	server, root := zktest.Shared(t), zktest.Root(t)
	follows := lasting(server.Addr())
	follows.Traffic = new(zkclient.Traffic)
	a := openLog(t, zklog.Config{Dialer: lasting(server.Addr()), Root: root})
	b := openLog(t, zklog.Config{Dialer: follows, Root: root})
	inCompany(t, a, b)
	b.reach(a.append(batchOf(put("first", "v"))).Seq)

	const slots = 100
	before, began := reads(follows.Traffic), time.Now()
	for i := range slots {
		b.reach(a.append(batchOf(put(fmt.Sprint(i), "v"))).Seq)
	}
	polls := 4 * int64(time.Since(began)/time.Second)
	require.Less(t, reads(follows.Traffic)-before, slots+slots/2+polls, "besides one for each there are the polls, a few a second")
	require.Equal(t, places(a.reach(revision.Seq{Segment: 1, Slot: slots})), places(b.reach(revision.Seq{Segment: 1, Slot: slots})))
}

func reads(traffic *zkclient.Traffic) int64 {
	for op, n := range traffic.Requests() {
		if op == "getData" {
			return n
		}
	}
	return 0
}

// TestSlotsOfAllKindsOfWriters: followers read alike what is carried in the
// segment's record and what is not, as the slots of a release that carries none, and
// large ones.
func TestSlotsOfAllKindsOfWriters(t *testing.T) {
	e := memzk.New()
	knows := openLog(t, zklog.Config{Dialer: e, MaxSlots: 20})
	alone := openLog(t, zklog.Config{Dialer: e, MaxSlots: 20}) // never asked who there is, and so carries none
	follows := openLog(t, zklog.Config{Dialer: e, MaxSlots: 20})
	inCompany(t, knows, follows)

	var last revision.Seq
	for i := range 120 {
		value := string(incompressible([]int{10, 3_000, 5_000, 1_000_000}[i%4]))
		last = []*reader{knows, alone, knows, knows, alone}[i%5].append(batchOf(put(fmt.Sprint(i), value))).Seq
		if i%7 == 0 {
			follows.reach(last)
		}
	}
	slots := follows.reach(last)
	require.Len(t, slots, 120)
	for i, slot := range slots {
		p := slot.Requests[0].GetPut()
		require.Equal(t, fmt.Sprint(i), string(p.Key))
		require.Equal(t, incompressible([]int{10, 3_000, 5_000, 1_000_000}[i%4]), p.Value)
	}
}
