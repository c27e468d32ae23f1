package fourletter

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHeap(t *testing.T) {
	for answer, want := range map[string]int64{
		"Environment:\njava.version=21\nos.memory.free=100MB\nos.memory.max=1011MB\nos.memory.total=2MB\n": 1011 << 20,
		"os.memory.max=2048MB\r\n":                2 << 30,
		"":                                        0,
		"os.memory.maximum=3MB\n":                 0,
		"os.memory.max=\n":                        0,
		"os.memory.max=0MB\n":                     0,
		"os.memory.max=-5MB\n":                    0,
		"os.memory.max=9223372036854775807MB\n":   0,
		"os.memory.max=999999999999999999999MB\n": 0,
		"envi is not executed because it is not in the whitelist.\n": 0,
	} {
		heap, err := Heap(answer)
		require.Equal(t, want, heap, "%q", answer)
		if want == 0 {
			require.ErrorIs(t, err, ErrNotTold, "%q", answer)
		} else {
			require.NoError(t, err, "%q", answer)
		}
	}
}

func TestNumber(t *testing.T) {
	const answer = "zk_version\t3.9.6\nzk_znode_count\t7\nzk_approximate_data_size\t44\n"
	n, err := Number(answer, "zk_approximate_data_size")
	require.NoError(t, err)
	require.EqualValues(t, 44, n)
	for _, name := range []string{"zk_version", "zk_znode", "data_size", ""} {
		_, err := Number(answer, name)
		require.ErrorIs(t, err, ErrNotTold, name)
	}
}

func FuzzHeap(f *testing.F) {
	f.Add("os.memory.max=1011MB\n")
	f.Fuzz(func(t *testing.T, answer string) {
		if heap, err := Heap(answer); err == nil {
			require.Positive(t, heap)
		}
	})
}
