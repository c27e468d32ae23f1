package jute

import (
	"bytes"
	"testing"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"
)

func TestReadsAreWrittenAsZooKeeperReadsThem(t *testing.T) {
	want := bytesOf(4, no, -1, "/log/1-a", no, 4, no, -1, "/log", no, -1, yes, -1)
	paths := []string{"/log/1-a", "/log"}
	require.Equal(t, append([]byte("head"), want...), AppendReads([]byte("head"), paths))
	require.Equal(t, len(want), ReadsSize(paths))
}

func TestStatsAreRead(t *testing.T) {
	raw, want := stat()
	stats, failed, err := ParseReads(bytesOf(4, no, 0, "data", raw, 4, no, 0, -1, raw, -1, yes, -1), 2, errorOf)
	require.NoError(t, err)
	require.NoError(t, failed)
	require.Equal(t, []zk.Stat{*want, *want}, stats)

	stats, failed, err = ParseReads(bytesOf(4, no, 0, "", raw, -1, no, -101, -101, -1, no, -102, -102, -1, yes, -1), 3, errorOf)
	require.NoError(t, err)
	require.Equal(t, code(-101), failed, "the first that failed")
	require.Equal(t, []zk.Stat{*want, {}, {}}, stats)
}

func TestRepliesThatAreNoneToReadsAreNotBelieved(t *testing.T) {
	raw, _ := stat()
	for name, p := range map[string][]byte{
		"nothing":         nil,
		"no end":          bytesOf(4, no, 0, "", raw, 4, no, 0, "", raw),
		"one too few":     bytesOf(4, no, 0, "", raw, -1, yes, -1),
		"one too many":    bytesOf(4, no, 0, "", raw, 4, no, 0, "", raw, 4, no, 0, "", raw, -1, yes, -1),
		"a write's":       bytesOf(4, no, 0, "", raw, 5, no, 0, raw, -1, yes, -1),
		"a stat cut":      bytesOf(4, no, 0, "", raw, 4, no, 0, "", raw[:60]),
		"data cut":        bytesOf(4, no, 0, "", raw, 4, no, 0, 1<<30),
		"negative length": bytesOf(4, no, 0, "", raw, 4, no, 0, -2, raw, -1, yes, -1),
		"a code cut":      bytesOf(4, no, 0, "", raw, -1, no, -101),
	} {
		stats, _, err := ParseReads(p, 2, errorOf)
		require.ErrorIs(t, err, ErrBadReply, name)
		require.Empty(t, stats, name)
	}
}

// FuzzParseReads has whatever bytes end in as many stats as were asked for, or in ErrBadReply.
func FuzzParseReads(f *testing.F) {
	raw, _ := stat()
	f.Add(bytesOf(4, no, 0, "data", raw, 4, no, 0, -1, raw, -1, yes, -1), 2)
	f.Add(bytesOf(-1, no, 0, -101, -1, yes, -1), 1)
	f.Add(bytesOf(4, no, 0, 1<<30), 1)
	f.Add(bytesOf(-1, yes, -1), 0)
	f.Fuzz(func(t *testing.T, p []byte, reads int) {
		kept := bytes.Clone(p)
		stats, _, err := ParseReads(p, reads, errorOf)
		require.Equal(t, kept, p)
		if err != nil {
			require.ErrorIs(t, err, ErrBadReply)
			require.Empty(t, stats)
			return
		}
		require.Len(t, stats, reads)
	})
}
