package archive_test

import (
	"testing"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision/archive"
)

// TestAKeeperIsTrimming while an archive begins: the first slots are gone, their segment is
// not yet. The archive, as that of a backup, begins with the checkpoint.
func TestAKeeperIsTrimming(t *testing.T) {
	r := newRoot(t)
	r.append(5)
	segment := r.checkpoint()
	r.append(3)
	conn, err := r.ensemble.Dial(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	names, err := conn.Children(t.Context(), "/zkine/log")
	require.NoError(t, err)
	for _, name := range names {
		if name[:2] == "1-" {
			_, err = conn.Multi(t.Context(), &zk.DeleteRequest{Path: "/zkine/log/" + name + "/s-0000000000", Version: -1})
			require.NoError(t, err)
		}
	}
	s, _ := folder(t)
	_, err = r.archiver(s).Round(t.Context())
	require.NoError(t, err)
	past, slots, err := read(t, s, archive.Until{})
	require.NoError(t, err)
	require.Equal(t, segment, past.Checkpoint.Segment)
	same(t, r.after(segment), slots)
	require.Empty(t, verify(t, s).Findings)
}
