package clients

import (
	"testing"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/kubernetes"
	"go.uber.org/zap"
)

// TestKubernetesClient is the little client that kube-apiserver goes through since 1.32.
func TestKubernetesClient(t *testing.T) {
	onBoth(t, func(t *testing.T, endpoint string) {
		client, err := kubernetes.New(clientv3.Config{Endpoints: []string{endpoint}, Logger: zap.NewNop(), DialTimeout: patience})
		require.NoError(t, err)
		t.Cleanup(func() { client.Close() })
		k, ctx := client.Kubernetes, within(t)

		got, err := k.Get(ctx, "/registry/a", kubernetes.GetOptions{})
		require.NoError(t, err)
		require.Nil(t, got.KV)
		lease, err := client.Grant(ctx, 60)
		require.NoError(t, err)
		created, err := k.OptimisticPut(ctx, "/registry/a", []byte("1"), 0, kubernetes.PutOptions{LeaseID: lease.ID})
		require.NoError(t, err)
		require.True(t, created.Succeeded)
		again, err := k.OptimisticPut(ctx, "/registry/a", []byte("2"), 0, kubernetes.PutOptions{GetOnFailure: true})
		require.NoError(t, err)
		require.False(t, again.Succeeded)
		require.Equal(t, "1", string(again.KV.Value))
		require.Equal(t, int64(lease.ID), again.KV.Lease)
		updated, err := k.OptimisticPut(ctx, "/registry/a", []byte("2"), created.Revision, kubernetes.PutOptions{})
		require.NoError(t, err)
		require.True(t, updated.Succeeded)
		_, err = k.OptimisticPut(ctx, "/registry/b", []byte("3"), 0, kubernetes.PutOptions{})
		require.NoError(t, err)

		page, err := k.List(ctx, "/registry/", kubernetes.ListOptions{Limit: 1})
		require.NoError(t, err)
		require.Len(t, page.Kvs, 1)
		require.Equal(t, int64(2), page.Count)
		rest, err := k.List(ctx, "/registry/", kubernetes.ListOptions{Limit: 1, Revision: page.Revision, Continue: "/registry/a\x00"})
		require.NoError(t, err)
		require.Equal(t, "/registry/b", string(rest.Kvs[0].Key))
		n, err := k.Count(ctx, "/registry/", kubernetes.CountOptions{})
		require.NoError(t, err)
		require.Equal(t, int64(2), n)

		stale, err := k.OptimisticDelete(ctx, "/registry/a", created.Revision, kubernetes.DeleteOptions{GetOnFailure: true})
		require.NoError(t, err)
		require.False(t, stale.Succeeded)
		require.Equal(t, updated.Revision, stale.KV.ModRevision)
		deleted, err := k.OptimisticDelete(ctx, "/registry/a", updated.Revision, kubernetes.DeleteOptions{})
		require.NoError(t, err)
		require.True(t, deleted.Succeeded)
	})
}
