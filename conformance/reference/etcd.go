// Package reference runs an etcd inside a test, to compare zkine with. It links etcd's server, which package rig must not.
package reference

import (
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"
	"golang.org/x/crypto/bcrypt"

	"github.com/zkine/zkine/conformance/rig"
)

// Start starts an etcd with an empty data folder and etcd's own defaults, but that it does not fsync and hashes
// passwords quickly, and returns its endpoint, host:port. It is stopped when the test ends. Each change is made to its
// configuration before it starts; URLs that a change lists as ListenClientUrls are listened on besides.
func Start(t testing.TB, changes ...func(*embed.Config)) string {
	t.Helper()
	cfg := embed.NewConfig()
	cfg.Dir = t.TempDir()
	cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	cfg.UnsafeNoFsync = true
	cfg.BcryptCost = uint(bcrypt.MinCost)
	cfg.ListenClientUrls = nil
	for _, change := range changes {
		change(cfg)
	}
	client, peer := address(t), address(t)
	cfg.ListenClientUrls = append(cfg.ListenClientUrls, client)
	cfg.AdvertiseClientUrls = []url.URL{client}
	cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = []url.URL{peer}, []url.URL{peer}
	cfg.InitialCluster = cfg.InitialClusterFromName(cfg.Name)
	e, err := embed.StartEtcd(cfg)
	require.NoError(t, err)
	t.Cleanup(e.Close)
	select {
	case <-e.Server.ReadyNotify():
	case err := <-e.Err():
		t.Fatalf("etcd: %v", err)
	case <-time.After(time.Minute):
		t.Fatal("etcd does not get ready")
	}
	return client.Host
}

func address(t testing.TB) url.URL {
	t.Helper()
	free, err := rig.FreeAddresses(1)
	require.NoError(t, err)
	return url.URL{Scheme: "http", Host: free[0]}
}
