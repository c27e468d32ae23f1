package archive_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/archive"
)

// TestAHoleThatOnlyACheckpointFollows is one: who asks for what lies in it must not get
// what was before it, as if nothing had come then.
func TestAHoleThatOnlyACheckpointFollows(t *testing.T) {
	r := newRoot(t)
	s, path := folder(t)
	a := r.archiver(s)
	r.append(20)
	_, err := a.Round(t.Context())
	require.NoError(t, err)
	objects := filepath.Join(path, "*", "slots", "*")
	before, err := filepath.Glob(objects)
	require.NoError(t, err)
	within := archive.Until{Time: time.UnixMilli(r.written + 1500)} // one batch is in it
	r.append(3)
	r.checkpoint()
	_, err = a.Round(t.Context())
	require.NoError(t, err)
	require.Empty(t, verify(t, s).Findings)
	_, slots, err := read(t, s, archive.Until{Revision: 22})
	require.NoError(t, err)
	same(t, r.slots, slots)

	now, err := filepath.Glob(objects)
	require.NoError(t, err)
	require.Greater(t, len(now), len(before))
	for _, name := range now {
		if !slices.Contains(before, name) {
			require.NoError(t, os.Remove(name))
		}
	}
	for _, until := range []archive.Until{{Revision: 22}, within} {
		_, slots, err = read(t, s, until)
		require.ErrorIs(t, err, archive.ErrHole)
		require.ErrorContains(t, err, "a checkpoint of revision 24")
		same(t, r.slots[:20], slots)
	}
	findings := verify(t, s).Findings
	require.Len(t, findings, 1)
	require.ErrorIs(t, findings[0].Err, archive.ErrHole)
	require.ErrorContains(t, findings[0].Err, "what is there from revision 24 on")

	past, slots, err := read(t, s, archive.Until{})
	require.NoError(t, err, "the newest state is whole")
	require.Equal(t, revision.Rev(24), past.Revision)
	require.Empty(t, slots)
}
