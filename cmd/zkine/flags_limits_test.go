package main

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/server"
)

// TestLimitsAreEtcds: names, defaults and what 0 means are etcd's.
func TestLimitsAreEtcds(t *testing.T) {
	limits := func(args ...string) server.Limits {
		flags, cfg := newFlags(t)
		require.NoError(t, flags.Parse(args))
		require.NoError(t, cfg.check(flags, nil))
		return cfg.limits.limits()
	}
	require.Equal(t, server.Limits{
		MaxConcurrentStreams: math.MaxUint32, KeepaliveMinTime: 5 * time.Second,
		KeepaliveInterval: 2 * time.Hour, KeepaliveTimeout: 20 * time.Second,
	}, limits())
	require.Equal(t, server.Limits{MaxConcurrentStreams: 250, KeepaliveMinTime: -1, KeepaliveInterval: -1, KeepaliveTimeout: -1},
		limits("--max-concurrent-streams=250", "--grpc-keepalive-min-time=0", "--grpc-keepalive-interval=0s", "--grpc-keepalive-timeout=0"))
}

func TestLimitsThatCannotBe(t *testing.T) {
	for arg, text := range map[string]string{
		"--max-concurrent-streams=0":         "--max-concurrent-streams: 0 is out of bounds — choose from 1 to 4294967295",
		"--grpc-keepalive-min-time=-1s":      "--grpc-keepalive-min-time: -1s is out of bounds — choose from 0s to 720h0m0s",
		"--grpc-keepalive-interval=10ms":     "--grpc-keepalive-interval: 10ms is out of bounds — choose from 1s to 720h0m0s",
		"--grpc-keepalive-timeout=1000h":     "--grpc-keepalive-timeout: 1000h0m0s is out of bounds — choose from 100ms to 720h0m0s",
		"--host-whitelist=http://localhost/": `--host-whitelist: "http://localhost/" is not the name of a host — write names like localhost,etcd.example.org, without a scheme and a port`,
		"--host-whitelist=a,localhost:2379":  `--host-whitelist: "localhost:2379" is not the name of a host — write names like localhost,etcd.example.org, without a scheme and a port`,
	} {
		flags, cfg := newFlags(t)
		require.NoError(t, flags.Parse([]string{arg}))
		require.EqualError(t, cfg.check(flags, nil), text)
	}
	flags, cfg := newFlags(t)
	require.NoError(t, flags.Parse([]string{"--host-whitelist=localhost,::1, 10.0.0.1"}))
	require.NoError(t, cfg.check(flags, nil))
	require.Equal(t, []string{"localhost", "::1", "10.0.0.1"}, cfg.limits.hostWhitelist)
}
