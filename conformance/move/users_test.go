package move

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestImportSaysThatUsersChanged, which a watch does not tell.
func TestImportSaysThatUsersChanged(t *testing.T) {
	t.Parallel()
	etcd, root := newEtcd(t), newRoot(t)
	newFiller(t).write(t, etcd, 20)
	addUsers(t, etcd, false)
	follow := root.startZkine(t, "import", "--endpoints="+etcd.endpoint, "--follow")
	awaitFollowing(t, follow)
	follow.Signal(syscall.SIGTERM)
	code, err := follow.Wait(within(t))
	require.NoError(t, err)
	require.Zero(t, code, follow.Output())

	follow = root.startZkine(t, "import", "--endpoints="+etcd.endpoint, "--follow")
	awaitFollowing(t, follow)
	require.NoError(t, first(etcd.UserAdd(within(t), "late", "a secret")))
	follow.Signal(syscall.SIGTERM)
	code, err = follow.Wait(within(t))
	require.NoError(t, err)
	require.Equal(t, 1, code, follow.Output())
	require.Contains(t, follow.Output(), "both sides are the same at revision ")
	require.Contains(t, follow.Output(), "its users or roles are not those that were copied")
}
