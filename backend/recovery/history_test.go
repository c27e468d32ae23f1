package recovery

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision"
)

// opened hands out pasts in turn.
type opened func() (*Past, error)

// told collects a history as short texts.
func told(t *testing.T, keys Keys, pasts ...opened) ([]string, *Told) {
	t.Helper()
	var lines []string
	i := -1
	told, err := History(t.Context(), func(context.Context) (*Past, error) { i++; return pasts[i]() }, keys, func(c *Change) error {
		line := fmt.Sprintf("%d %s %s v%d %dB lease%d", c.Revision, c.Key, c.Kind, c.Version, c.Size, c.Lease)
		if c.Clock == WriterClock {
			line += fmt.Sprintf(" by %s/%s at %ds, %v", c.Member, c.User, c.Time.Unix(), c.Seq)
		}
		lines = append(lines, line)
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, len(lines), told.Changes)
	return lines, told
}

func TestHistoryOfAWholeLog(t *testing.T) {
	l := story()
	whole := func() (*Past, error) { return l.past(t, 0), nil }
	lines, all := told(t, Keys{Key: "/a"}, whole)
	require.Equal(t, []string{
		"2 /a create v1 1B lease0 by one/ at 1s, 1/0",
		"3 /a put v2 0B lease0 by one/ann at 2s, 1/1",
		"7 /a delete v0 0B lease0 by one/ at 4s, 1/3",
		"8 /a create v1 3B lease0 by one/ at 5s, 1/4",
		"9 /a put v2 3B lease0 by one/ at 6s, 1/5",
		"11 /a put v3 1B lease0 by one/ at 8s, 1/8",
		"12 /a put v4 1B lease0 by one/ at 8s, 1/8",
	}, lines)
	require.Equal(t, &Told{ClusterID: 7, Changes: 7, Oldest: 1, Known: 2, Newest: 12}, all)
	lines, _ = told(t, Keys{Key: "/", Prefix: true}, whole)
	require.Len(t, lines, 14)
	require.Equal(t, "4 /b create v1 2B lease5 by one/ at 3s, 1/2", lines[2])
	require.Equal(t, "10 /b expire v0 0B lease0 by one/ at 7s, 1/7", lines[10])
}

// TestHistoryFromACheckpoint has less the later the past begins, and says so.
func TestHistoryFromACheckpoint(t *testing.T) {
	l := story()
	lines, from := told(t, Keys{Key: "/a"}, func() (*Past, error) { return l.past(t, 4), nil })
	require.Len(t, lines, 7)
	require.Equal(t, "3 /a put v2 0B lease0", lines[1])
	require.Equal(t, "7 /a delete v0 0B lease0", lines[2])
	require.Equal(t, "8 /a create v1 3B lease0 by one/ at 5s, 1/4", lines[3])
	require.EqualValues(t, 8, from.Known)
	l.write(put("/e", "1", 0)) // 13
	lines, from = told(t, Keys{Key: "/", Prefix: true}, func() (*Past, error) { return l.past(t, len(l.slots)-1), nil })
	require.Equal(t, []string{
		"8 /d create v1 3B lease0",
		"8 /other put v2 3B lease0",
		"12 /a put v4 1B lease0",
		"13 /e create v1 1B lease0 by one/ at 9s, 1/9",
	}, lines)
	require.Equal(t, &Told{ClusterID: 7, Changes: 4, Oldest: 12, Known: 13, Newest: 13}, from)
}

// cut is a past that is trimmed after so many slots were read.
func cut(p *Past, after int) *Past {
	whole := p.Slots
	p.Slots = func(ctx context.Context) iter.Seq2[Slot, error] {
		return func(yield func(Slot, error) bool) {
			for s, err := range whole(ctx) {
				if after--; after < 0 {
					yield(Slot{}, errGone)
					return
				}
				if !yield(s, err) {
					return
				}
			}
		}
	}
	return p
}

var errGone = fmt.Errorf("%w: it is gone", revision.ErrTrimmed)

// TestHistoryGoesOnWhereTheLogWasTrimmed loses its past on the way, three times.
func TestHistoryGoesOnWhereTheLogWasTrimmed(t *testing.T) {
	l := story()
	all := Keys{Key: "/", Prefix: true}
	want, _ := told(t, all, func() (*Past, error) { return l.past(t, 0), nil })
	lines, from := told(t, all,
		func() (*Past, error) { return cut(l.past(t, 0), 3), nil },
		func() (*Past, error) { return nil, errGone },
		func() (*Past, error) { return cut(l.past(t, 2), 3), nil },
		func() (*Past, error) { return l.past(t, 4), nil })
	require.Equal(t, want, lines)
	require.EqualValues(t, 2, from.Known)
	tries := 0
	_, err := History(t.Context(), func(context.Context) (*Past, error) { tries++; return nil, errGone }, all, nil)
	require.ErrorIs(t, err, revision.ErrTrimmed)
	require.Equal(t, mostTries, tries)
	full := errors.New("the disk is full")
	_, err = History(t.Context(), func(context.Context) (*Past, error) { return l.past(t, 0), nil }, all, func(*Change) error { return full })
	require.ErrorIs(t, err, full)
}

// TestTimesWithoutAWriter has what a release wrote that leaves no time in the log.
func TestTimesWithoutAWriter(t *testing.T) {
	l := story()
	at := time.UnixMilli(123_456).UTC()
	for i := range l.slots {
		l.slots[i].Origin, l.slots[i].Made = nil, at
	}
	l.slots[1].Made = time.Time{}
	var all []Change
	_, err := History(t.Context(), func(context.Context) (*Past, error) { return l.past(t, 0), nil }, Keys{Key: "/a"},
		func(c *Change) error { all = append(all, *c); return nil })
	require.NoError(t, err)
	require.Equal(t, ZooKeeperClock, all[0].Clock)
	require.Equal(t, at, all[0].Time)
	require.Equal(t, NoClock, all[1].Clock)
	require.Empty(t, all[0].Member)
}
