package lessor

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestClockAdvancesBetweenQuorumWritesThatAreNear(t *testing.T) {
	var c clock
	at := time.Now()
	require.Equal(t, gap, c.advance(at), "the first")
	require.Equal(t, ticked, c.advance(at.Add(MaxTick)))
	require.Equal(t, MaxTick, c.now)
	require.Equal(t, ticked, c.advance(at.Add(time.Second)), "of two that ran at once")
	require.Equal(t, MaxTick, c.now)
	require.Equal(t, ticked, c.advance(at.Add(MaxTick+time.Second)))
	require.Equal(t, MaxTick+time.Second, c.now)
	require.Equal(t, gap, c.advance(at.Add(2*MaxTick+time.Second+1)))
	require.Equal(t, MaxTick+time.Second, c.now, "a gap is no time")
}
