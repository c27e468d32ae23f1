package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLeaderLossTimeout(t *testing.T) {
	require.Equal(t, 30*time.Second, leaderLoss(0).or(10*time.Second))
	require.Equal(t, 30*time.Second, leaderLoss(0).or(4*time.Second), "an election takes no less for short sessions")
	require.Equal(t, 2*time.Minute, leaderLoss(0).or(40*time.Second))
	require.Equal(t, 3*time.Second, leaderLoss(3*time.Second).or(40*time.Second))
}
