package main

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/conformance/rig"
	"github.com/zkine/zkine/conformance/rig/rigtest"
)

// TestStoresComeBack hurts a store as the disruptions do, without a control plane: each time it serves again.
func TestStoresComeBack(t *testing.T) {
	found, err := rig.FindZooKeeper()
	require.NoError(t, err)
	t.Setenv("ZOOKEEPER_HOME", found.Dir)
	for name, describe := range map[string]func(dir string) (*store, error){
		"zkine": func(dir string) (*store, error) { return newZkine(dir, rigtest.Program(t)) },
		"etcd":  func(dir string) (*store, error) { return newEtcd(dir, rigtest.Component(t, "etcd")) },
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
			defer cancel()
			s, err := describe(t.TempDir())
			require.NoError(t, err)
			t.Cleanup(s.Kill)
			d := &disruptions{cluster: &cluster{store: s}}
			require.NoError(t, s.up(ctx))
			require.NoError(t, d.killStore(ctx))
			require.NoError(t, d.restartStore(ctx))
			if s.embeds != "" {
				before, err := descendantWith(s.embeds)
				require.NoError(t, err)
				require.NoError(t, d.killZooKeeper(ctx))
				require.NoError(t, rig.Poll(ctx, func() error {
					now, err := descendantWith(s.embeds)
					if err == nil && now == before {
						err = errors.New("it is not gone")
					}
					return err
				}))
				require.NoError(t, d.killBoth(ctx))
			}
			require.NoError(t, rig.Poll(ctx, func() error { return httpOK(ctx, http.DefaultClient, s.endpoint+"/health") }))
			require.NoError(t, s.CheckOutput())
			require.NoError(t, stop(s.Process))
			require.NoError(t, s.Ended())
		})
	}
}
