package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMemoryLine(t *testing.T) {
	for _, c := range []struct {
		quota, memory int64
		want          string
		enough        bool
	}{
		{2 * gib, 16 * gib, "a root that has come to its quota of 2.0 GiB, with ordinary objects, takes 7.2 GiB to 14 GiB of memory in each zkine; there are 16 GiB", true},
		{2 * gib, gib, "a root that has come to its quota of 2.0 GiB, with ordinary objects, takes 7.2 GiB to 14 GiB of memory in each zkine; there are 1.0 GiB, " +
			"enough for 150 MiB of the quota: lower --quota-backend-bytes, or give zkine more", false},
		{-1, gib, "there is no quota: zkine takes 3.6 to 6.8 times what the root holds of ordinary objects, and there are 1.0 GiB of memory", true},
	} {
		line, enough := memoryLine(c.quota, c.memory)
		require.Equal(t, c.want, line)
		require.Equal(t, c.enough, enough)
	}
}

func TestGoLimit(t *testing.T) {
	require.InDelta(t, 0.9*gib, goLimit(gib, 0), 100)
	require.InDelta(t, 0.9*(gib-(256+160)<<20), goLimit(gib, 256<<20), 100, "the JVM has its part")
	require.EqualValues(t, leastLimit, goLimit(300<<20, 256<<20))
}
