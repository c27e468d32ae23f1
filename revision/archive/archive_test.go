package archive_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/archive"
	"github.com/zkine/zkine/revision/recordpb"
)

// TestTheWholeLogComesBack: from the first slot on, over many rounds and segments, packed
// or not, the open one's too.
func TestTheWholeLogComesBack(t *testing.T) {
	r := newRoot(t)
	s, _ := folder(t)
	a := r.archiver(s)
	for i := range 12 {
		r.append(i)
		report, err := a.Round(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, i, report.Slots)
		if i%4 == 0 {
			require.NoError(t, r.log.Pack(t.Context(), noPace))
		}
	}
	report, err := a.Round(t.Context())
	require.NoError(t, err)
	require.Zero(t, report.Slots+report.Objects, "nothing is new")
	past, slots, err := read(t, s, archive.Until{})
	require.NoError(t, err)
	require.Nil(t, past.Checkpoint)
	require.EqualValues(t, len(slots), past.Slots)
	require.Equal(t, r.log.ClusterID(), past.ClusterID)
	same(t, r.slots, slots)
	require.Empty(t, verify(t, s).Findings)
	at, written := place(t, s).Newest()
	require.Equal(t, r.slots[len(r.slots)-1].Seq, at)
	require.Equal(t, r.written, written.UnixMilli())
}

// TestACheckpointAndWhatFollows: the newest one that is not after what is asked for.
func TestACheckpointAndWhatFollows(t *testing.T) {
	r := newRoot(t)
	s, _ := folder(t)
	a := r.archiver(s)
	var segments []int64
	var revisions []revision.Rev
	var times []time.Time
	for range 3 {
		r.append(11)
		segments, revisions = append(segments, r.checkpoint()), append(revisions, revision.Rev(len(r.slots)+1))
		times = append(times, time.UnixMilli(r.written))
		r.trim()
		r.append(3)
		_, err := a.Round(t.Context())
		require.NoError(t, err)
	}
	for i, until := range []archive.Until{
		{Time: times[0]}, {Time: times[1].Add(time.Millisecond)}, {},
		{Revision: revisions[0]}, {Revision: revisions[2] - 1}, {Revision: revisions[2] + 1},
	} {
		at := i % 3
		if until.Revision == revisions[2]-1 {
			at = 1
		}
		past, slots, err := read(t, s, until)
		require.NoError(t, err)
		require.Equal(t, segments[at], past.Checkpoint.Segment)
		require.Equal(t, revisions[at], past.Revision)
		require.True(t, times[at].Equal(past.Time), past.Time)
		var meta recordpb.CheckpointMeta
		require.NoError(t, proto.Unmarshal(past.Checkpoint.Meta, &meta))
		require.EqualValues(t, revisions[at], meta.Revision)
		var chunks int
		for chunk, err := range past.Checkpoint.Chunks(t.Context()) {
			require.NoError(t, err)
			require.True(t, strings.HasPrefix(string(chunk), "chunk "))
			chunks++
		}
		require.Equal(t, 3, chunks)
		same(t, r.after(segments[at]), slots)
	}
	_, slots, err := read(t, s, archive.Until{Revision: 2})
	require.NoError(t, err, "the log is there from its beginning")
	same(t, r.slots, slots)
	require.Empty(t, verify(t, s).Findings)
}

// TestALateArchiver begins with what the root still has, and says what it has missed.
func TestALateArchiver(t *testing.T) {
	r := newRoot(t)
	s, _ := folder(t)
	r.append(10)
	_, err := r.archiver(s).Round(t.Context())
	require.NoError(t, err)
	for range 3 {
		r.append(20)
		r.checkpoint()
		r.trim()
	}
	r.append(5)
	report, err := r.archiver(s).Round(t.Context())
	require.NoError(t, err)
	require.ErrorIs(t, report.Hole, archive.ErrHole)

	_, slots, err := read(t, s, archive.Until{})
	require.NoError(t, err)
	require.Equal(t, r.slots[len(r.slots)-1].Seq, slots[len(slots)-1].Seq)
	_, slots, err = read(t, s, archive.Until{Revision: 20})
	require.ErrorIs(t, err, archive.ErrHole)
	require.ErrorContains(t, err, "slots up to "+r.slots[9].Seq.String())
	same(t, r.slots[:10], slots)
	findings := verify(t, s).Findings
	require.Len(t, findings, 1)
	require.ErrorIs(t, findings[0].Err, archive.ErrHole)

	fresh, _ := folder(t)
	_, err = r.archiver(fresh).Round(t.Context())
	require.NoError(t, err)
	_, _, err = read(t, fresh, archive.Until{Revision: 20})
	require.ErrorIs(t, err, archive.ErrTooEarly)
	require.Empty(t, verify(t, fresh).Findings)
}

// TestSeveralArchivers write the same, or what does not harm.
func TestSeveralArchivers(t *testing.T) {
	r := newRoot(t)
	s, _ := folder(t)
	archivers := []*archive.Archiver{r.archiver(s), r.archiver(s), r.archiver(s)}
	for i := range 10 {
		r.append(7)
		if i == 5 {
			r.checkpoint()
		}
		done := make(chan error)
		for j, a := range archivers {
			if i%3 == j && i > 2 {
				continue // it lags behind, and then writes longer runs
			}
			go func() { _, err := a.Round(t.Context()); done <- err }()
		}
		for j := range archivers {
			if i%3 != j || i <= 2 {
				require.NoError(t, <-done)
			}
		}
	}
	_, slots, err := read(t, s, archive.Until{Revision: 1})
	require.NoError(t, err)
	same(t, r.slots, slots)
	require.Empty(t, verify(t, s).Findings)
}

// TestAnotherLogIsNotMixedIn: the ensemble goes back, and goes on elsewhere.
func TestAnotherLogIsNotMixedIn(t *testing.T) {
	r := newRoot(t)
	s, _ := folder(t)
	a := r.archiver(s)
	r.append(3)
	restore := r.ensemble.Save()
	r.append(3)
	_, err := a.Round(t.Context())
	require.NoError(t, err)
	before := place(t, s)
	r.close()
	restore()
	for _, more := range []int{0, 3, 20} { // fewer slots, as many, and another segment
		r.open()
		r.append(more)
		r.close()
		_, err = r.archiver(s).Round(t.Context())
		require.ErrorIs(t, err, archive.ErrDiverged)
		require.Equal(t, before, place(t, s))
	}
}

// TestEachDamageIsNamed: what is changed, cut, lost, put elsewhere.
func TestEachDamageIsNamed(t *testing.T) {
	r := newRoot(t)
	s, path := folder(t)
	r.append(20)
	r.checkpoint()
	r.append(20)
	_, err := r.archiver(s).Round(t.Context())
	require.NoError(t, err)
	cluster := place(t, s).Cluster()
	var files []string
	require.NoError(t, filepath.WalkDir(filepath.Join(path, cluster), func(p string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, p)
		}
		return err
	}))
	require.Greater(t, len(files), 5)
	for i, file := range files {
		good, err := os.ReadFile(file)
		require.NoError(t, err)
		other, err := os.ReadFile(files[(i+1)%len(files)])
		require.NoError(t, err)
		flipped := []byte(string(good))
		flipped[len(flipped)/2] ^= 1
		for what, bad := range map[string][]byte{"flipped": flipped, "truncated": good[:len(good)-1], "empty": {}, "another": other} {
			require.NoError(t, os.WriteFile(file, bad, 0o600))
			findings := verify(t, s).Findings
			require.NotEmpty(t, findings, "%s %s", what, file)
			require.ErrorIs(t, findings[0].Err, archive.ErrCorrupt)
			require.NotContains(t, findings[0].Err.Error(), "\n")
			require.True(t, strings.Contains(findings[0].Err.Error()+findings[0].Object, filepath.Base(filepath.Dir(file))), findings[0])
		}
		require.NoError(t, os.Remove(file))
		if v := verify(t, s); !strings.HasSuffix(file, "manifest") {
			// Without its end, or its beginning before a checkpoint, it is a smaller archive.
			require.True(t, len(v.Findings) > 0 || v.To.Before(r.slots[len(r.slots)-1].Seq) || v.From != nil, file)
		}
		require.NoError(t, os.WriteFile(file, good, 0o600))
	}
	require.Empty(t, verify(t, s).Findings)
}

// TestWhatIsNoArchive is refused, and left alone.
func TestWhatIsNoArchive(t *testing.T) {
	r := newRoot(t)
	r.append(1)
	for content, want := range map[string]error{"": archive.ErrForeign, "{}": archive.ErrForeign, `{"zkine":"x","format":2}`: archive.ErrNewerFormat} {
		s, path := folder(t)
		name := "zkine-archive"
		if content == "" {
			name = "holiday.jpg"
		}
		require.NoError(t, os.WriteFile(filepath.Join(path, name), []byte(content), 0o600))
		_, err := r.archiver(s).Round(t.Context())
		require.ErrorIs(t, err, want)
		_, err = archive.OpenPlace(t.Context(), s, "")
		require.ErrorIs(t, err, want)
		entries, err := os.ReadDir(path)
		require.NoError(t, err)
		require.Len(t, entries, 1)
	}
	s, _ := folder(t)
	_, err := archive.OpenPlace(t.Context(), s, "")
	require.ErrorIs(t, err, archive.ErrEmpty)
}

// TestTwoClustersInOneArchive have a place each, of which a reader has to name one.
func TestTwoClustersInOneArchive(t *testing.T) {
	s, _ := folder(t)
	a, b := newRoot(t), newRoot(t)
	for _, r := range []*root{a, b} {
		r.append(3)
		_, err := r.archiver(s).Round(t.Context())
		require.NoError(t, err)
	}
	_, err := archive.OpenPlace(t.Context(), s, "")
	require.ErrorIs(t, err, archive.ErrManyClusters)
	clusters, err := archive.Clusters(t.Context(), s)
	require.NoError(t, err)
	require.Len(t, clusters, 2)
	for _, cluster := range clusters {
		p, err := archive.OpenPlace(t.Context(), s, strings.TrimLeft(cluster, "0"))
		require.NoError(t, err)
		require.Equal(t, cluster, p.Cluster())
		require.Contains(t, []uint64{a.log.ClusterID(), b.log.ClusterID()}, p.ClusterID())
	}
	_, err = archive.OpenPlace(t.Context(), s, "abc")
	require.ErrorIs(t, err, archive.ErrEmpty)
}
