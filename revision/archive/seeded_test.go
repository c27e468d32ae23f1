package archive_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision/archive"
	"github.com/zkine/zkine/revision/memzk"
	"github.com/zkine/zkine/revision/zkseed"
)

// newSeededRoot begins with a state of a revision, as after an import or a restore.
func newSeededRoot(t *testing.T) *root {
	t.Helper()
	r := &root{t: t, ensemble: memzk.New(), written: 1_000_000}
	_, err := zkseed.Seed(t.Context(), zkseed.Config{Dialer: r.ensemble, Root: "/zkine", Log: quiet()}, &zkseed.Seeding{
		Source: "a test", Revision: seededRevision, Meta: []byte("meta seeded"),
		Chunks: func(yield func([]byte) bool) error { yield([]byte("what was moved in")); return nil },
	})
	require.NoError(t, err)
	r.open()
	return r
}

const seededRevision = 1000

// TestASeededRoot does not begin with its first slot: without the checkpoint that it
// began with, its slots make another state.
func TestASeededRoot(t *testing.T) {
	r := newSeededRoot(t)
	r.append(5)
	s, _ := folder(t)
	_, err := r.archiver(s).Round(t.Context())
	require.NoError(t, err)
	require.NotNil(t, verify(t, s).From)
	require.Empty(t, verify(t, s).Findings)

	past, slots, err := read(t, s, archive.Until{})
	require.NoError(t, err)
	require.Equal(t, "meta seeded", string(past.Checkpoint.Meta))
	same(t, r.slots, slots)
	_, _, err = read(t, s, archive.Until{Revision: seededRevision - 1})
	require.ErrorIs(t, err, archive.ErrTooEarly)
}

// TestASeededRootWhoseArchiverEnds early has nothing to restore, and not a part of it.
func TestASeededRootWhoseArchiverEnds(t *testing.T) {
	r := newSeededRoot(t)
	r.append(5)
	for limit := range 8 {
		s, _ := folder(t)
		full := &filling{Store: s, left: limit}
		_, err := r.archiver(full).Round(t.Context())
		if err == nil {
			break
		}
		require.ErrorIs(t, err, errFull)
		p, err := archive.OpenPlace(t.Context(), s, "")
		if err == nil {
			var past *archive.Past
			if past, err = p.Past(t.Context(), archive.Until{}); err == nil {
				require.NotNil(t, past.Checkpoint, "after %d objects", limit)
			}
		}
		if err != nil {
			require.ErrorIs(t, err, archive.ErrEmpty)
		}
	}
}

// filling has room for so many objects.
type filling struct {
	archive.Store
	left int
}

var errFull = errors.New("no space left")

func (f *filling) Put(ctx context.Context, name string, data []byte) error {
	if f.left == 0 {
		return errFull
	}
	f.left--
	return f.Store.Put(ctx, name, data)
}
