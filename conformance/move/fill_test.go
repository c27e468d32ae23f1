package move

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/zkine/zkine/conformance/rig"
)

// filler writes to a store what clients write: puts, deletes, both in one revision, with leases and without.
type filler struct {
	random *rand.Rand
	leases []clientv3.LeaseID
	n      int
}

func newFiller(t testing.TB) *filler {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return &filler{random: rand.New(rand.NewPCG(seed, 0))}
}

// grant grants leases of an hour and more.
func (f *filler) grant(t testing.TB, s *store, n int64) {
	t.Helper()
	for i := range n {
		l, err := s.Grant(within(t), 3600+i)
		require.NoError(t, err)
		f.leases = append(f.leases, l.ID)
	}
}

// write makes n revisions, at least.
func (f *filler) write(t testing.TB, s *store, n int) {
	t.Helper()
	for range n {
		f.n++
		var ops []clientv3.Op
		used := map[string]bool{}
		for range 1 + f.random.IntN(3) {
			key := fmt.Sprintf("/registry/things/%03d", f.random.IntN(300))
			if f.random.IntN(4) == 0 {
				key = fmt.Sprintf("/bootstrap/%03d", f.random.IntN(20))
			}
			if used[key] {
				continue
			}
			used[key] = true
			if f.random.IntN(5) == 0 {
				ops = append(ops, clientv3.OpDelete(key))
				continue
			}
			var options []clientv3.OpOption
			if len(f.leases) > 0 && f.random.IntN(3) == 0 {
				options = append(options, clientv3.WithLease(f.leases[f.random.IntN(len(f.leases))]))
			}
			ops = append(ops, clientv3.OpPut(key, f.value(), options...))
		}
		ops = append(ops, clientv3.OpPut("/registry/counter", fmt.Sprint(f.n)))
		_, err := s.Txn(within(t)).Then(ops...).Commit()
		require.NoError(t, err)
	}
}

// value has bytes of all kinds, and now and then none, or many.
func (f *filler) value() string {
	b := make([]byte, f.random.IntN(300)*f.random.IntN(2)+f.random.IntN(2)*f.random.IntN(3000))
	for i := range b {
		b[i] = byte(f.random.Uint32())
	}
	return string(b)
}

// addUsers makes users and roles, and has them count if they are to.
func addUsers(t testing.TB, s *store, enable bool) {
	t.Helper()
	ctx := within(t)
	require.NoError(t, first(s.RoleAdd(ctx, "root")))
	require.NoError(t, first(s.RoleAdd(ctx, "readers")))
	require.NoError(t, first(s.RoleGrantPermission(ctx, "readers", "/registry/", clientv3.GetPrefixRangeEnd("/registry/"), clientv3.PermissionType(clientv3.PermRead))))
	require.NoError(t, first(s.UserAdd(ctx, "root", "root's secret")))
	require.NoError(t, first(s.UserAdd(ctx, "ann", "ann's secret")))
	require.NoError(t, first(s.UserAddWithOptions(ctx, "cn", "", &clientv3.UserAddOptions{NoPassword: true})))
	require.NoError(t, first(s.UserGrantRole(ctx, "root", "root")))
	require.NoError(t, first(s.UserGrantRole(ctx, "ann", "readers")))
	if enable {
		require.NoError(t, first(s.AuthEnable(ctx)))
	}
}

func first[T any](_ T, err error) error { return err }

// login is another client of a store, as a user.
func (s *store) login(t testing.TB, user, password string) *store {
	t.Helper()
	return connect(t, s.process, s.endpoint, user, password)
}

// zkine runs a command of the zkine under test on a root.
func (r root) zkine(t testing.TB, name string, args ...string) result {
	t.Helper()
	return finish(t, command(t, program(t), append([]string{name, "--zookeeper=" + r.zooKeeper, "--zookeeper-root=" + r.path}, args...)...))
}

// startZkine starts a command of the zkine under test on a root, which goes on.
func (r root) startZkine(t testing.TB, name string, args ...string) *rig.Process {
	t.Helper()
	p, err := rig.Start(rig.Program{Path: program(t), Args: append([]string{name, "--zookeeper=" + r.zooKeeper, "--zookeeper-root=" + r.path}, args...)})
	require.NoError(t, err)
	t.Cleanup(func() {
		p.Kill()
		require.NoError(t, p.CheckOutput())
		if t.Failed() {
			t.Logf("zkine %s printed:\n%.20000s", name, p.Output())
		}
	})
	return p
}

// requireOneLine checks that a command refused in one line, with an exit code that is not 0, and said all of that.
func requireOneLine(t testing.TB, r result, words ...string) {
	t.Helper()
	require.Contains(t, []int{1, 2, 3}, r.code, r)
	line := strings.TrimSuffix(r.err, "\n")
	require.True(t, strings.HasPrefix(line, "zkine: "), r)
	require.NotContains(t, line, "\n")
	for _, word := range words {
		require.Contains(t, line, word)
	}
}
