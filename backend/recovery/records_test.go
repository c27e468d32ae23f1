package recovery

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision"
)

// TestRecords tells what History tells, request by request, and all else besides.
func TestRecords(t *testing.T) {
	l := story()
	for _, covered := range []int{0, 2, 5} {
		want := map[revision.Rev][]Change{}
		_, err := History(t.Context(), func(context.Context) (*Past, error) { return l.past(t, covered), nil }, Keys{Prefix: true}, func(c *Change) error {
			if c.Clock == WriterClock { // it is in a slot
				want[c.Revision] = append(want[c.Revision], *c)
			}
			return nil
		})
		require.NoError(t, err)
		got, requests, duplicates := map[revision.Rev][]Change{}, 0, 0
		require.NoError(t, Records(t.Context(), l.past(t, covered), true, func(r *Record) error {
			requests++
			if r.Request == nil {
				duplicates++
			}
			if len(r.Changes) > 0 {
				require.NoError(t, r.Err)
				got[r.Revision] = r.Changes
			}
			return nil
		}))
		require.Equal(t, want, got)
		if covered == 0 {
			require.Equal(t, 1, duplicates)
		}
		raw := 0
		require.NoError(t, Records(t.Context(), l.past(t, covered), false, func(r *Record) error {
			require.Zero(t, r.Revision)
			raw++
			return nil
		}))
		require.Positive(t, raw)
		if covered == 0 {
			require.Greater(t, raw, requests-duplicates, "a batch that was sent twice counts twice")
		}
	}
	full := errors.New("the disk is full")
	require.ErrorIs(t, Records(t.Context(), l.past(t, 0), true, func(*Record) error { return full }), full)
	require.ErrorIs(t, Records(t.Context(), cut(l.past(t, 0), 2), false, func(*Record) error { return nil }), revision.ErrTrimmed)
}
