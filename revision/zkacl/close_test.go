package zkacl_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision/zkacl"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zkclient/identity"
	"github.com/zkine/zkine/revision/zktest"
)

const closeLimit = time.Minute

var (
	superID = zk.DigestACL(zk.PermAll, "super", "tests")[0].ID
	owner   = zk.DigestACL(zk.PermAll, "zkine", "tests")[0]
)

// superuser starts a ZooKeeper that others may use too, and returns the
// superuser's session.
func superuser(t testing.TB, opts ...zktest.Option) (zkclient.Conn, zkacl.Session, *zktest.Server) {
	t.Helper()
	server := zktest.Start(t, append(opts, zktest.WithProperty("DigestAuthenticationProvider.superDigest", superID))...)
	log := logrus.New()
	log.SetOutput(io.Discard)
	ensemble := &zkclient.Ensemble{
		Servers: []string{server.Addr()}, Timeout: 8 * time.Second, MaxRequest: 900 << 10, Log: logrus.NewEntry(log),
		Credentials: func() []identity.Credential {
			return []identity.Credential{{Scheme: "digest", Secret: []byte("super:tests")}}
		},
	}
	ctx, cancel := context.WithTimeout(t.Context(), closeLimit)
	defer cancel()
	conn, err := ensemble.Dial(ctx)
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	return conn, conn.(zkacl.Session), server
}

// fill makes so many folders below a path with so many znodes each.
func fill(t testing.TB, conn zkclient.Conn, at string, folders, each int) {
	t.Helper()
	makeAll := func(ops ...any) {
		_, err := conn.Multi(t.Context(), ops...)
		require.NoError(t, err)
	}
	makeAll(zkclient.CreateOp(at, nil))
	for f := range folders {
		folder := path.Join(at, fmt.Sprint("folder", f))
		makeAll(zkclient.CreateOp(folder, nil))
		for done := 0; done < each; {
			var ops []any
			for ; done < each && len(ops) < 1000; done++ {
				ops = append(ops, zkclient.CreateOp(path.Join(folder, fmt.Sprint(done)), []byte("data")))
			}
			makeAll(ops...)
		}
	}
}

// notOwned are the znodes that have another ACL than the owner's.
func notOwned(t testing.TB, super zkacl.Session, at string) (others []string, all int) {
	t.Helper()
	acl, _, err := super.GetACL(t.Context(), at)
	if errors.Is(err, zk.ErrNoNode) {
		return nil, 0
	}
	require.NoError(t, err)
	if len(acl) != 1 || acl[0] != owner {
		others = append(others, fmt.Sprintf("%s has %v", at, acl))
	}
	names, err := super.Children(t.Context(), at)
	require.NoError(t, err)
	for _, name := range names {
		more, n := notOwned(t, super, path.Join(at, name))
		others, all = append(others, more...), all+n
	}
	return others, all + 1
}

func TestCloseReachesEveryZnode(t *testing.T) {
	conn, super, _ := superuser(t)
	fill(t, conn, "/zkine", 3, 700)
	fill(t, conn, "/other", 1, 3)
	_, err := super.SetACL(t.Context(), "/other", zk.DigestACL(zk.PermRead, "someone", "else"), zkclient.AnyVersion)
	require.NoError(t, err)
	closed, err := zkacl.Closed(t.Context(), super, owner)
	require.NoError(t, err)
	require.False(t, closed)

	var done atomic.Int64
	require.NoError(t, zkacl.Close(t.Context(), super, owner, &done))
	others, all := notOwned(t, super, "/")
	require.Empty(t, others)
	require.Equal(t, 4+(1+3+3*700)+(1+1+3), all)
	require.Equal(t, int64(all+1), done.Load(), "/zookeeper is closed twice")
	closed, err = zkacl.Closed(t.Context(), super, owner)
	require.NoError(t, err)
	require.True(t, closed)
	other := zk.DigestACL(zk.PermAll, "zkine", "a new secret")[0]
	closed, err = zkacl.Closed(t.Context(), super, other)
	require.NoError(t, err)
	require.False(t, closed)
}

// TestCloseAgainstOthers has someone else make and remove znodes with ACLs of
// their own all the time. Nothing of that is left open, and nothing comes after.
func TestCloseAgainstOthers(t *testing.T) {
	conn, super, server := superuser(t)
	fill(t, conn, "/zkine", 20, 200)
	other, _, err := zk.Connect([]string{server.Addr()}, 8*time.Second, zk.WithLogInfo(false))
	require.NoError(t, err)
	defer other.Close()
	require.NoError(t, other.AddAuth("digest", []byte("any:thing")))
	stop, planted := make(chan struct{}), 0
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			for _, at := range []string{"/", "/zkine", fmt.Sprint("/zkine/folder", i%20), fmt.Sprintf("/zkine/folder%d/%d", i%20, i%200), "/zookeeper"} {
				at = path.Join(at, fmt.Sprint("planted", i))
				_, err := other.Create(at, nil, int32(i%2), zk.AuthACL(zk.PermAll))
				if err == nil {
					planted++
					if i%3 == 0 {
						_ = other.Delete(at, -1) // it may be closed already
					}
				}
			}
		}
	})
	require.Eventually(t, func() bool { found, _, err := other.Exists("/planted5"); return err == nil && found }, closeLimit, time.Millisecond)
	require.NoError(t, zkacl.Close(t.Context(), super, owner, new(atomic.Int64)))
	close(stop)
	wg.Wait()
	others, all := notOwned(t, super, "/")
	require.Empty(t, others)
	t.Logf("%d znodes were planted, %d are there, all closed", planted, all)
	_, err = other.Create("/late", nil, 0, zk.AuthACL(zk.PermAll))
	require.ErrorIs(t, err, zk.ErrNoAuth)
}

// interrupted fails at one of its calls, and at all after it.
type interrupted struct {
	zkacl.Session
	left atomic.Int64
}

var errInterrupted = errors.New("interrupted by the test")

func (i *interrupted) SetACL(ctx context.Context, path string, acl []zk.ACL, version int32) (*zk.Stat, error) {
	if i.left.Add(-1) < 0 {
		return nil, errInterrupted
	}
	return i.Session.SetACL(ctx, path, acl, version)
}

// TestCloseIsNotDoneBeforeItsEnd interrupts it anywhere, the last call included.
func TestCloseIsNotDoneBeforeItsEnd(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	conn, super, _ := superuser(t)
	fill(t, conn, "/zkine", 4, 100)
	const calls = 2*(4+1+1+4+400) + 1 // what there is and "/zookeeper" twice, "/" once more
	for _, after := range []int64{0, 1, 2, calls - 1, random.Int64N(calls), random.Int64N(calls), random.Int64N(calls)} {
		i := &interrupted{Session: super}
		i.left.Store(after)
		require.ErrorIs(t, zkacl.Close(t.Context(), i, owner, new(atomic.Int64)), errInterrupted, "after %d", after)
		closed, err := zkacl.Closed(t.Context(), super, owner)
		require.NoError(t, err)
		require.False(t, closed, "after %d calls it says that all is closed", after)
	}
	i := &interrupted{Session: super}
	i.left.Store(calls)
	require.NoError(t, zkacl.Close(t.Context(), i, owner, new(atomic.Int64)), "it needs more calls than this test knows")
	others, _ := notOwned(t, super, "/")
	require.Empty(t, others)
}

// BenchmarkClose closes 100,000 znodes, on a disk that is fsynced.
func BenchmarkClose(b *testing.B) {
	conn, super, _ := superuser(b, zktest.WithFsync(), zktest.WithHeap(1<<30))
	fill(b, conn, "/zkine", 25, 4000)
	for b.Loop() {
		require.NoError(b, zkacl.Close(b.Context(), super, owner, new(atomic.Int64)))
	}
}
