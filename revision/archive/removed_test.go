package archive_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision/archive"
)

// TestWhatWasRemovedFromOutside, by a person or by a rule of the store, is found out while
// an archiver follows: what the root still has is archived again, or it is told.
func TestWhatWasRemovedFromOutside(t *testing.T) {
	for _, what := range []string{"*", "zkine-archive", "*/slots/*"} {
		t.Run(what, func(t *testing.T) {
			r := newRoot(t)
			s, path := folder(t)
			now := time.Unix(1_000_000, 0)
			a := r.archiver(s, func(c *archive.Config) { c.Clock = func() time.Time { return now } })
			r.append(20)
			_, err := a.Round(t.Context())
			require.NoError(t, err)
			found, err := filepath.Glob(filepath.Join(path, what))
			require.NoError(t, err)
			require.NotEmpty(t, found)
			for _, name := range found {
				require.NoError(t, os.RemoveAll(name))
			}
			r.append(5)
			now = now.Add(time.Hour)
			_, err = a.Round(t.Context())
			if what == "zkine-archive" {
				require.ErrorIs(t, err, archive.ErrForeign)
				return
			}
			require.NoError(t, err)
			_, slots, err := read(t, s, archive.Until{})
			require.NoError(t, err)
			same(t, r.slots, slots)
			require.Empty(t, verify(t, s).Findings)
		})
	}
}
