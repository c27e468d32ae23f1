package archive_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision/archive"
	"github.com/zkine/zkine/revision/zklog"
	"github.com/zkine/zkine/revision/zkroot"
)

// TestALogThatWasAccepted has a place of its own, and so has the one before, each of which
// can be named.
func TestALogThatWasAccepted(t *testing.T) {
	r := newRoot(t)
	s, _ := folder(t)
	r.append(3)
	restore := r.ensemble.Save()
	r.append(4)
	_, err := r.archiver(s).Round(t.Context())
	require.NoError(t, err)
	before := r.slots
	r.close()
	restore()
	r.slots = r.slots[:3]
	cfg := zklog.Config{Dialer: r.ensemble, Root: "/zkine", ClusterID: r.log.ClusterID(), Log: quiet()}
	_, err = zklog.Accept(context.Background(), cfg, zkroot.Decision{By: "a test"})
	require.NoError(t, err)
	r.open()
	r.append(5)
	_, err = r.archiver(s).Round(t.Context())
	require.NoError(t, err)

	names, err := archive.Clusters(t.Context(), s)
	require.NoError(t, err)
	require.Len(t, names, 2)
	for i, slots := range []int{len(before), len(r.slots)} {
		p, err := archive.OpenPlace(t.Context(), s, names[i])
		require.NoError(t, err)
		require.Equal(t, names[i], p.Cluster())
		v, err := p.Verify(t.Context(), nil)
		require.NoError(t, err)
		require.Empty(t, v.Findings)
		require.EqualValues(t, slots, v.Slots)
	}
}
