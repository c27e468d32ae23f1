package bytesize

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestText(t *testing.T) {
	t.Parallel()
	const kib, mib, gib, tib = int64(1) << 10, int64(1) << 20, int64(1) << 30, int64(1) << 40
	for _, c := range []struct {
		n                            int64
		text, atLeast, atMost, short string
	}{
		{0, "0 B", "0 B", "0 B", "0"},
		{-1, "-1 B", "-1 B", "-1 B", "-1"},
		{999, "999 B", "999 B", "999 B", "999"},
		{1000, "1.0 KiB", "1.0 KiB", "0.9 KiB", "1.0K"},
		{kib, "1.0 KiB", "1.0 KiB", "1.0 KiB", "1.0K"},
		{kib + 1, "1.0 KiB", "1.1 KiB", "1.0 KiB", "1.0K"},
		{3 * kib / 2, "1.5 KiB", "1.5 KiB", "1.5 KiB", "1.5K"},
		{10*kib - 1, "10 KiB", "10 KiB", "9.9 KiB", "10K"},
		{10 * kib, "10 KiB", "10 KiB", "10 KiB", "10K"},
		{999*kib + 512, "1.0 MiB", "1.0 MiB", "999 KiB", "1.0M"},
		{999*kib + 511, "999 KiB", "1.0 MiB", "999 KiB", "999K"},
		{mib - 1, "1.0 MiB", "1.0 MiB", "0.9 MiB", "1.0M"},
		{273*mib + 1, "273 MiB", "274 MiB", "273 MiB", "273M"},
		{2 * gib, "2.0 GiB", "2.0 GiB", "2.0 GiB", "2.0G"},
		{6791 * mib, "6.6 GiB", "6.7 GiB", "6.6 GiB", "6.6G"},
		{5000 * tib, "4.9 PiB", "4.9 PiB", "4.8 PiB", "4.9P"},
		{math.MaxInt64, "8.0 EiB", "8.0 EiB", "8.0 EiB", "8.0E"},
	} {
		require.Equal(t, []string{c.text, c.atLeast, c.atMost, c.short}, []string{Text(c.n), AtLeast(c.n), AtMost(c.n), Short(c.n)}, "%d", c.n)
	}
}
