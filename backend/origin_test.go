package backend_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/backend"
	"github.com/zkine/zkine/backend/housekeep"
	"github.com/zkine/zkine/backend/memlog"
	"github.com/zkine/zkine/revision"
)

// originOf is what the slot of a key says of where it comes from.
func originOf(t *testing.T, s *memlog.Store, key string) *revision.Origin {
	t.Helper()
	log := s.Open()
	for {
		slot, err := log.Next(within(t))
		require.NoError(t, err)
		for _, r := range slot.Requests {
			if string(r.GetPut().GetKey()) == key {
				return slot.Origin
			}
		}
	}
}

// TestBatchesSayWhenAndByWhomTheyWereWritten, and by nothing else than the clock that
// the backend was given.
func TestBatchesSayWhenAndByWhomTheyWereWritten(t *testing.T) {
	s := memlog.New()
	at := time.Date(1999, 12, 31, 23, 59, 59, 7e6, time.UTC)
	b := openMem(t, s, "a", func(c *backend.Config) { c.Clock = func() time.Time { return at } })
	put(t, b, "first", "v")
	require.Equal(t, &revision.Origin{Written: at.UnixMilli(), Writer: "a"}, originOf(t, s, "first"))

	without := openMem(t, s, "b", func(c *backend.Config) { c.WithoutOrigin = true })
	put(t, without, "second", "v")
	require.Nil(t, originOf(t, s, "second"))
}

// TestNoOriginWhileAMemberDoesNotKnowIt: it would stop at the first batch.
func TestNoOriginWhileAMemberDoesNotKnowIt(t *testing.T) {
	s := memlog.New()
	older := s.Open()
	require.NoError(t, older.Join(within(t), revision.Member{Name: "older", ID: 7, ReadLeases: true}))
	b := openMem(t, s, "a")
	put(t, b, "mixed", "v")
	require.Nil(t, originOf(t, s, "mixed"))

	require.NoError(t, older.Close())
	n := 0
	require.Eventually(t, func() bool { // the list is looked at each tick
		n++
		put(t, b, fmt.Sprint(n), "v")
		return originOf(t, s, fmt.Sprint(n)) != nil
	}, patience, housekeep.Tick)
}
