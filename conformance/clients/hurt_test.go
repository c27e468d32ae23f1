package clients

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/conformance/rig"
	"github.com/zkine/zkine/conformance/rig/rigtest"
	"github.com/zkine/zkine/revision/zktest"
)

// hurtable starts a store, of whose servers hurt kills one as a power cut would. hosts are all servers, host:port.
type hurtable func(t *testing.T) (hosts []string, hurt func())

// twoZkines are two on one root, of which hurt kills the first.
func twoZkines(t *testing.T) (hosts []string, hurt func()) {
	zookeeper, root := zktest.Shared(t).Addr(), zktest.Root(t)
	one := rigtest.StartOn(t, zookeeper, root, "--bcrypt-cost=4", patient)
	two := rigtest.StartOn(t, zookeeper, root, "--bcrypt-cost=4", patient)
	return []string{one.Endpoint, two.Endpoint}, one.Kill
}

// oneZkine is one that hurt kills and starts again.
func oneZkine(t *testing.T) (hosts []string, hurt func()) {
	z := newZkine(t)
	return []string{z.Endpoint}, func() {
		z.Kill()
		z.Start()
	}
}

// oneEtcd is one that hurt kills and starts again.
func oneEtcd(t *testing.T) (hosts []string, hurt func()) {
	e, err := rig.NewEtcd(rig.EtcdConfig{
		Program: rigtest.Component(t, "etcd"), Name: "etcd", DataDir: t.TempDir(), Args: []string{"--bcrypt-cost=4"},
	})
	require.NoError(t, err)
	t.Cleanup(e.Kill)
	require.NoError(t, e.Up(within(t)))
	return []string{e.Endpoint}, func() {
		e.Kill()
		require.NoError(t, e.Up(within(t)))
	}
}
