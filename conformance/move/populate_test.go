package move

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// writer writes some of everything.
type writer struct {
	t      testing.TB
	random *rand.Rand
	to     *store
	leases []clientv3.LeaseID
}

func newWriter(t testing.TB, to *store) *writer {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return &writer{t: t, random: rand.New(rand.NewPCG(seed, 0)), to: to}
}

// write makes n changes: keys are created, changed, deleted, made again, in transactions of several too.
func (w *writer) write(n int) {
	w.t.Helper()
	for range n {
		var err error
		switch w.random.IntN(8) {
		case 0:
			_, err = w.to.Delete(within(w.t), w.key())
		case 1:
			ops, taken := []clientv3.Op{}, map[string]bool{}
			for range 2 + w.random.IntN(6) {
				if key := w.key(); !taken[key] {
					taken[key] = true
					ops = append(ops, w.op(key))
				}
			}
			_, err = w.to.Txn(within(w.t)).Then(ops...).Commit()
		default:
			_, err = w.to.Do(within(w.t), w.op(w.key()))
		}
		require.NoError(w.t, err)
	}
}

func (w *writer) op(key string) clientv3.Op {
	if w.random.IntN(6) == 0 {
		return clientv3.OpDelete(key)
	}
	l := clientv3.NoLease
	if n := len(w.leases); n > 0 && w.random.IntN(3) == 0 {
		l = w.leases[w.random.IntN(n)]
	}
	return clientv3.OpPut(key, w.value(), clientv3.WithLease(l))
}

// key is one of some hundred: those of a Kubernetes, and what else an etcd may be given.
func (w *writer) key() string {
	n := w.random.IntN(40)
	switch w.random.IntN(5) {
	case 0:
		return fmt.Sprintf("/registry/pods/default/pod-%d", n)
	case 1:
		return fmt.Sprintf("/registry/events/default/pod-%d.%x", n, n*n)
	case 2:
		return fmt.Sprintf("/registry/configmaps/kube-system/config-%d", n)
	case 3:
		return fmt.Sprintf("bin\x00\xff\xfe%c/%d", rune(n), n)
	}
	return fmt.Sprintf("app/%d", n)
}

func (w *writer) value() string {
	switch w.random.IntN(10) {
	case 0:
		return ""
	case 1:
		return string(bytes.Repeat([]byte{0, byte(w.random.IntN(256)), 0xff, '\n'}, w.random.IntN(20_000)))
	}
	return fmt.Sprintf("k8s\x00 value %x", w.random.Uint64())
}

// grant grants leases that outlive the test, of all kinds of ids.
func (w *writer) grant() {
	w.t.Helper()
	for i, id := range []int64{1, -7, 1 << 62, 0x694d9e2ab7a3c0f1, 60, 3600} {
		resp, err := clientv3.RetryLeaseClient(w.to.Client).LeaseGrant(within(w.t), &pb.LeaseGrantRequest{ID: id, TTL: 7200 + int64(i)})
		require.NoError(w.t, err)
		w.leases = append(w.leases, clientv3.LeaseID(resp.ID))
	}
}

// users makes a role that may read below granted/, and users with and without a password.
func (w *writer) users() {
	w.t.Helper()
	ctx := within(w.t)
	_, err := w.to.RoleAdd(ctx, "reader")
	require.NoError(w.t, err)
	_, err = w.to.RoleGrantPermission(ctx, "reader", "granted/", "granted0", clientv3.PermissionType(clientv3.PermRead))
	require.NoError(w.t, err)
	_, err = w.to.UserAdd(ctx, "alice", "secret")
	require.NoError(w.t, err)
	_, err = w.to.UserGrantRole(ctx, "alice", "reader")
	require.NoError(w.t, err)
	_, err = w.to.UserAddWithOptions(ctx, "bob", "", &clientv3.UserAddOptions{NoPassword: true})
	require.NoError(w.t, err)
	_, err = w.to.Put(ctx, "granted/k", "v")
	require.NoError(w.t, err)
}

// closeToOthers has only users in, of whom root may do all.
func (w *writer) closeToOthers() {
	w.t.Helper()
	ctx := within(w.t)
	_, err := w.to.UserAdd(ctx, "root", "of all")
	require.NoError(w.t, err)
	_, err = w.to.UserGrantRole(ctx, "root", "root")
	require.NoError(w.t, err)
	_, err = w.to.AuthEnable(ctx)
	require.NoError(w.t, err)
}

// compact compacts at a revision and waits until what is below is removed.
func (w *writer) compact(rev int64) {
	w.t.Helper()
	_, err := w.to.Compact(within(w.t), rev, clientv3.WithCompactPhysical())
	require.NoError(w.t, err)
}

// everything writes all of that, with a compaction in between, and returns the floor of the history.
func (w *writer) everything() (floor int64) {
	w.t.Helper()
	w.grant()
	w.write(120)
	floor = w.to.revision(w.t) - 10
	w.compact(floor)
	w.write(60)
	w.users()
	// A lease without keys is one, too.
	_, err := clientv3.RetryLeaseClient(w.to.Client).LeaseGrant(within(w.t), &pb.LeaseGrantRequest{ID: 99, TTL: 9000})
	require.NoError(w.t, err)
	return floor
}

// who is all users with their roles, and all roles with their permissions.
func (s *store) who(t testing.TB) map[string]string {
	t.Helper()
	ctx, all := within(t), map[string]string{}
	status, err := s.AuthStatus(ctx)
	require.NoError(t, err)
	all["enabled"] = fmt.Sprint(status.Enabled)
	users, err := s.UserList(ctx)
	require.NoError(t, err)
	for _, user := range users.Users {
		got, err := s.UserGet(ctx, user)
		require.NoError(t, err)
		all["user "+user] = fmt.Sprint(got.Roles)
	}
	roles, err := s.RoleList(ctx)
	require.NoError(t, err)
	for _, role := range roles.Roles {
		got, err := s.RoleGet(ctx, role)
		require.NoError(t, err)
		all["role "+role] = fmt.Sprint(got.Perm)
	}
	return all
}
