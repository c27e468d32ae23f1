package archive_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision/archive"
)

// TestRetention by age and by count: what is within it can be restored, the rest is gone.
func TestRetention(t *testing.T) {
	for name, retention := range map[string]archive.Retention{"age": {Age: 15 * time.Second}, "count": {Count: 2}, "both": {Age: time.Hour, Count: 2}} {
		t.Run(name, func(t *testing.T) {
			r := newRoot(t)
			s, path := folder(t)
			a := r.archiver(s, func(c *archive.Config) {
				c.Retention = retention
				c.Clock = func() time.Time { return time.UnixMilli(r.written) }
			})
			for range 6 {
				r.append(10) // ten seconds
				r.checkpoint()
				r.trim()
				r.append(5)
				_, err := a.Round(t.Context())
				require.NoError(t, err)
			}
			kept := place(t, s).Checkpoints()
			require.Len(t, kept, 2)
			require.Empty(t, verify(t, s).Findings)
			_, slots, err := read(t, s, archive.Until{Time: kept[0].Time()})
			require.NoError(t, err)
			same(t, r.after(kept[0].Segment), slots)
			_, _, err = read(t, s, archive.Until{Time: kept[0].Time().Add(-time.Second)})
			require.ErrorIs(t, err, archive.ErrTooEarly)
			folders, err := os.ReadDir(filepath.Join(path, place(t, s).Cluster(), "checkpoints"))
			require.NoError(t, err)
			require.Len(t, folders, 2)
		})
	}
}
