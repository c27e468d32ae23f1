package move

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/conformance/rig"
)

// TestBadSnapshots has files that are not a whole snapshot of an etcd: each is named in one line, and the root stays as
// empty as it was.
func TestBadSnapshots(t *testing.T) {
	t.Parallel()
	source := newEtcd(t)
	newWriter(t, source).write(30)
	good, err := os.ReadFile(source.save(t))
	require.NoError(t, err)
	changed := append([]byte(nil), good...)
	changed[len(changed)/2] ^= 1
	into, dir := newRoot(t), t.TempDir()
	for _, bad := range []struct {
		name    string
		content []byte
		words   []string
	}{
		{"half", good[:len(good)/2], nil},
		{"without its last byte", good[:len(good)-1], nil},
		{"without its hash", good[:len(good)-32], []string{"--skip-hash-check"}},
		{"changed", changed, []string{"hash"}},
		{"empty", nil, nil},
		{"text", []byte(strings.Repeat("this is no database\n", 1000)), nil},
		{"zeros", make([]byte, 1<<16), nil},
	} {
		t.Run(bad.name, func(t *testing.T) {
			path := filepath.Join(dir, bad.name)
			require.NoError(t, os.WriteFile(path, bad.content, 0o600))
			refused(t, append(bad.words, path), into.importArgs("--snapshot="+path)...)
			require.Empty(t, into.znodes(t))
			left, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, bad.content, append([]byte(nil), left...), "the file was written to")
		})
	}
	for _, path := range []string{filepath.Join(dir, "none"), dir} {
		refused(t, []string{path}, into.importArgs("--snapshot="+path)...)
		require.Empty(t, into.znodes(t))
	}
	// etcd's own database has no hash behind it.
	path := filepath.Join(dir, "db")
	require.NoError(t, os.WriteFile(path, good[:len(good)-32], 0o600))
	into.importInto(t, "--snapshot="+path, "--skip-hash-check")
	requireSameNow(t, source, into.serve(t))
}

// TestBadSources has addresses behind which there is no etcd that can be read.
func TestBadSources(t *testing.T) {
	t.Parallel()
	into := newRoot(t)
	web := httptest.NewServer(http.NotFoundHandler())
	defer web.Close()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections, and says nothing
	require.NoError(t, err)
	defer silent.Close()
	free, err := rig.FreeAddresses(1)
	require.NoError(t, err)
	locked := newEtcd(t)
	w := newWriter(t, locked)
	w.users()
	w.closeToOthers()
	for name, source := range map[string][]string{
		"a web server":     {web.Listener.Addr().String()},
		"nothing":          {free[0]},
		"silence":          {silent.Addr().String()},
		"a ZooKeeper":      {into.zooKeeper},
		"without a user":   {locked.endpoint},
		"a wrong password": {locked.endpoint, "--user=root:guess"},
		"not root":         {locked.endpoint, "--user=alice:secret"},
	} {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"--endpoints=" + source[0], "--dial-timeout=2s"}, source[1:]...)
			refused(t, []string{source[0]}, into.importArgs(args...)...)
			require.Empty(t, into.znodes(t))
		})
	}
	// The API does not tell passwords: users that count would lock all out.
	refused(t, []string{locked.endpoint, "--passwords-file", "--without-users"}, into.importArgs("--endpoints="+locked.endpoint, "--user=root:of all")...)
	require.Empty(t, into.znodes(t))
	into.importInto(t, "--endpoints="+locked.endpoint, "--user=root:of all", "--without-users")
}

// TestTargetsThatAreTaken has roots that hold something already: it stays as it was.
func TestTargetsThatAreTaken(t *testing.T) {
	t.Parallel()
	source := newEtcd(t)
	newWriter(t, source).write(30)
	snapshot := source.save(t)
	taken := newRoot(t)
	zkine := taken.serve(t)
	_, err := zkine.Put(within(t), "mine", "stays")
	require.NoError(t, err)
	before, _ := zkine.keys(t, 0)
	for _, from := range []string{"--snapshot=" + snapshot, "--endpoints=" + source.endpoint} {
		refused(t, []string{taken.path}, taken.importArgs(from)...) // a zkine runs on it
	}
	_, err = zkine.process.Stop(within(t))
	require.NoError(t, err)
	for _, from := range []string{"--snapshot=" + snapshot, "--endpoints=" + source.endpoint} {
		refused(t, []string{taken.path}, taken.importArgs(from)...)
	}
	again := taken.serve(t)
	after, _ := again.keys(t, 0)
	requireSameKeys(t, before, after)

	// Another program's znodes.
	other := newRoot(t)
	c := zooKeeper(t, other)
	_, err = c.Create(other.path, []byte("another's"), 0, zk.WorldACL(zk.PermAll))
	require.NoError(t, err)
	_, err = c.Create(other.path+"/child", nil, 0, zk.WorldACL(zk.PermAll))
	require.NoError(t, err)
	for _, from := range []string{"--snapshot=" + snapshot, "--endpoints=" + source.endpoint} {
		refused(t, []string{other.path}, other.importArgs(from)...)
	}
	require.Equal(t, []string{other.path, other.path + "/child"}, other.znodes(t))
}

func zooKeeper(t testing.TB, r root) *zk.Conn {
	t.Helper()
	c, _, err := zk.Connect([]string{r.zooKeeper}, patience, zk.WithLogInfo(false), zk.WithLogger(quiet{}))
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}

// znodes are all znodes at and below a root.
func (r root) znodes(t testing.TB) (all []string) {
	t.Helper()
	c := zooKeeper(t, r)
	var visit func(path string)
	visit = func(path string) {
		children, _, err := c.Children(path)
		if err == zk.ErrNoNode {
			return
		}
		require.NoError(t, err)
		all = append(all, path)
		for _, child := range children {
			visit(path + "/" + child)
		}
	}
	visit(r.path)
	return all
}
