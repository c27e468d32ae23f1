package load

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestBucketsFollowEachOther(t *testing.T) {
	for i := range doublings*perDoubling - 1 {
		require.Less(t, lowest(i), lowest(i+1))
		require.Equal(t, i, bucket(lowest(i)))
		require.Equal(t, i, bucket(lowest(i+1)-time.Microsecond))
		if i >= perDoubling {
			require.Less(t, float64(lowest(i+1)-lowest(i))/float64(lowest(i)), 1.0/15)
		}
		if lowest(i+1) > 100*time.Hour {
			break
		}
	}
}

func TestPercentilesAreNearlyThoseOfTheSortedValues(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	var h, other histogram
	var all []time.Duration
	for i := range 10_000 {
		d := time.Duration(rng.ExpFloat64() * float64(5*time.Millisecond))
		all = append(all, d)
		if i%2 == 0 {
			h.record(d)
		} else {
			other.record(d)
		}
	}
	h.add(&other)
	slices.Sort(all)
	for _, p := range []float64{50, 90, 99, 99.9} {
		want := all[int(float64(len(all))*p/100)]
		require.InEpsilon(t, want, h.percentile(p), 0.07, "p%v", p)
	}
	require.Equal(t, all[len(all)-1], h.max)
	require.EqualValues(t, len(all), h.summary().Count)
}

func TestAnEmptyHistogramHasNoLatencies(t *testing.T) {
	var h histogram
	require.Equal(t, Summary{}, h.summary())
}
