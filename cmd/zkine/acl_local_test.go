package main

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestACLVerifyOfALocalZooKeeper finds all closed to its owner, / included.
func TestACLVerifyOfALocalZooKeeper(t *testing.T) {
	folder := t.TempDir()
	t.Setenv("ZOOKEEPER_HOME", zooKeeperForTests())
	p := startZkine(t, []string{"--data-dir=" + folder})
	put(t, client(t, p.ready()), "k", "v")
	p.signal(syscall.SIGTERM)
	require.Zero(t, p.end())
	out, err := zkine("acl", "verify", "--data-dir="+folder)
	require.NoError(t, err, out)
	require.Contains(t, out, "all have it\n")
	require.NotContains(t, out, "world:anyone")
	require.NotContains(t, out, "warning")
}
