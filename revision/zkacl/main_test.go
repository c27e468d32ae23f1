package zkacl_test

import (
	"context"
	"fmt"
	"io"
	"path"
	"sync"
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

func TestMain(m *testing.M) { zktest.Main(m) }

// session dials the shared server, and shows digest credentials, each
// user:password.
func session(t testing.TB, credentials ...string) *watched {
	t.Helper()
	quiet := logrus.New()
	quiet.SetOutput(io.Discard)
	var show []identity.Credential
	for _, c := range credentials {
		show = append(show, identity.Credential{Scheme: "digest", Secret: []byte(c)})
	}
	z := &zkclient.Ensemble{
		Servers: []string{zktest.Shared(t).Addr()}, Timeout: 20 * time.Second, MaxRequest: 900 << 10, Log: logrus.NewEntry(quiet),
		Credentials: func() []identity.Credential { return show },
	}
	conn, err := z.Dial(t.Context())
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	s, err := zkacl.SessionOf(conn)
	require.NoError(t, err)
	return &watched{Session: s}
}

// watched is a session that has its setACL calls noted.
type watched struct {
	zkacl.Session
	mu  sync.Mutex
	set []string
	// before is called before each, if set.
	before func(n int)
}

func (w *watched) SetACL(ctx context.Context, path string, acl []zk.ACL, version int32) (*zk.Stat, error) {
	w.mu.Lock()
	w.set = append(w.set, path)
	n, before := len(w.set), w.before
	w.mu.Unlock()
	if before != nil {
		before(n)
	}
	return w.Session.SetACL(ctx, path, acl, version)
}

func (w *watched) create(t testing.TB, acl []zk.ACL, paths ...string) {
	t.Helper()
	for _, p := range paths {
		_, err := w.Multi(t.Context(), &zk.CreateRequest{Path: p, Acl: acl})
		require.NoError(t, err, p)
	}
}

// tree makes a root with folders of so many znodes each, and returns all paths.
func (w *watched) tree(t *testing.T, acl []zk.ACL, root string, sizes ...int) []string {
	t.Helper()
	all := []string{root}
	for i, size := range sizes {
		folder := fmt.Sprintf("%s/f-%d", root, i)
		all = append(all, folder)
		for j := range size {
			all = append(all, fmt.Sprintf("%s/n-%d", folder, j))
		}
	}
	var ops []any
	for _, p := range all {
		ops = append(ops, &zk.CreateRequest{Path: p, Acl: acl})
	}
	_, err := w.Multi(t.Context(), ops...)
	require.NoError(t, err)
	return all
}

func (w *watched) acl(t *testing.T, path string) zkacl.List {
	t.Helper()
	acl, _, err := w.GetACL(t.Context(), path)
	require.NoError(t, err, path)
	return acl
}

func parse(t *testing.T, text string) zkacl.List {
	t.Helper()
	list, err := zkacl.Parse(text)
	require.NoError(t, err)
	return list
}

var (
	open  = zk.WorldACL(zk.PermAll)
	alice = zk.DigestACL(zk.PermAll, "alice", "a")
	bob   = zk.DigestACL(zk.PermAll, "bob", "b")
)

const aliceSecret, bobSecret = "alice:a", "bob:b"

// parentsLast has each path come after what is below it.
func parentsLast(t *testing.T, paths []string) {
	t.Helper()
	seen := map[string]bool{}
	for _, p := range paths {
		for parent := path.Dir(p); parent != "/"; parent = path.Dir(parent) {
			require.False(t, seen[parent], "%s came before %s", parent, p)
		}
		seen[p] = true
	}
}
