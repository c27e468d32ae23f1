package snapshot

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/conformance/rig/rigtest"
	"github.com/zkine/zkine/revision/zktest"
)

// large is a snapshot of an etcd with some MiB that do not get smaller.
func large(t *testing.T) (source *store, path string) {
	t.Helper()
	source = newEtcd(t, t.TempDir())
	value := make([]byte, 100<<10)
	for i := range 200 {
		_, err := rand.Read(value)
		require.NoError(t, err)
		_, err = source.Put(within(t), fmt.Sprint("key ", i), string(value))
		require.NoError(t, err)
	}
	return source, source.save(t)
}

// An import that is killed leaves no root: no zkine serves it, each says who writes it, and the same command goes on, by way
// of one more that is killed.
func TestImportIsKilled(t *testing.T) {
	source, path := large(t)
	root := zktest.Root(t)
	conn, _, err := zk.Connect([]string{zktest.Shared(t).Addr()}, 10*time.Second, zk.WithLogInfo(false))
	require.NoError(t, err)
	defer conn.Close()
	for chunks := range 2 {
		killedImport(t, conn, root, path, 1+chunks)
		exists, _, err := conn.Exists(root + "/format")
		require.NoError(t, err)
		require.False(t, exists)
		program := rigtest.Program(t)
		out, err := exec.CommandContext(within(t), program, "server", "--zookeeper="+zktest.Shared(t).Addr(), "--zookeeper-root="+root,
			"--listen-client-urls=http://127.0.0.1:0", "--listen-metrics-urls=", "--data-dir="+t.TempDir()).CombinedOutput()
		require.Error(t, err)
		require.Regexp(t, `the root is not finished: .* writes snapshot `+filepath.Base(path)+`.* to `+root+`, since .* — wait for it, or begin it again`, string(out))
	}
	out, err := importInto(t, root, path)
	require.NoError(t, err, out)
	require.Contains(t, out, "of that were there from an attempt before")
	requireSameAt(t, source, newZkineOn(t, root), source.current(t))
}

// killedImport begins an import and kills it once so many chunks are there.
func killedImport(t *testing.T, conn *zk.Conn, root, path string, chunks int) {
	t.Helper()
	program := rigtest.Program(t)
	cmd := exec.CommandContext(within(t), program, "import", "--snapshot="+path, "--zookeeper="+zktest.Shared(t).Addr(), "--zookeeper-root="+root)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	require.NoError(t, cmd.Start())
	for deadline := time.Now().Add(patience); ; {
		require.True(t, time.Now().Before(deadline), "it does not come so far") // what it prints is read once it is gone
		attempts, _, err := conn.Children(root + "/checkpoint")
		if err == nil && len(attempts) == 1 {
			names, _, err := conn.Children(root + "/checkpoint/" + attempts[0])
			if err == nil && len(names) >= chunks {
				break
			}
		}
	}
	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait(), "it was over before: %s", out.String())
}

// What is wrong with a file is said in one line, and nothing is left in ZooKeeper.
func TestImportOfWhatIsNoSnapshot(t *testing.T) {
	source := newEtcd(t, t.TempDir())
	newWriter(t, source).write(30)
	good, err := os.ReadFile(source.save(t))
	require.NoError(t, err)
	changed := bytes.Clone(good)
	changed[len(changed)/2] ^= 1
	for name, c := range map[string]struct {
		data []byte
		says string
	}{
		"truncated": {good[:len(good)/2], "the snapshot has no hash"},
		"changed":   {changed, "the snapshot is damaged: its sha256 is "},
		"kine":      {append([]byte("SQLite format 3\x00"), good...), "not a snapshot of etcd: it is an SQLite database, as kine and k3s keep it — start kine on it"},
		"text":      {[]byte(strings.Repeat("hello ", 100)), "not a snapshot of etcd: it is no bbolt database"},
	} {
		path := filepath.Join(t.TempDir(), name)
		require.NoError(t, os.WriteFile(path, c.data, 0o600))
		root := zktest.Root(t)
		out, err := importInto(t, root, path)
		require.Error(t, err, name)
		require.Contains(t, out, "zkine: "+path+": "+c.says)
		require.Equal(t, 1, strings.Count(out, "\n"), "%s", out)
		out, err = importInto(t, root, source.save(t))
		require.NoError(t, err, out)
	}
}
