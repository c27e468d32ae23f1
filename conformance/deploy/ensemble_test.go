package deploy

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/conformance/rig"
	"github.com/zkine/zkine/conformance/rig/rigtest"
	"github.com/zkine/zkine/revision/embedded"
	"github.com/zkine/zkine/revision/zkclient/fourletter"
)

// TestZooKeeperSettings starts an ensemble of three with the files of deploy/zookeeper as they are, but for addresses and
// folders, and writes and reads through a zkine on it, also after a server has ended.
func TestZooKeeperSettings(t *testing.T) {
	root, err := rig.Checkout()
	require.NoError(t, err)
	shell, err := NewShell(t.TempDir(), "ZOOKEEPER_CLASSPATH="+classPath(t))
	require.NoError(t, err)
	t.Cleanup(func() {
		shell.End()
		if t.Failed() {
			t.Log(tail(shell.Log()))
		}
	})
	program := rigtest.Program(t) // built, which takes as long as it takes
	ctx, cancel := context.WithTimeoutCause(t.Context(), patience, fmt.Errorf("not within %v", patience))
	defer cancel()
	e := newEnsembleFiles(t, filepath.Join(root, "deploy", "zookeeper"))
	for n, dir := range e.dirs {
		// As zkServer.sh does.
		require.NoError(t, shell.Run(ctx, fmt.Sprintf(`(
  . '%[1]s/java.env'
  exec java -Xmx${ZK_SERVER_HEAP}m $SERVER_JVMFLAGS -cp "$ZOOKEEPER_CLASSPATH" \
    org.apache.zookeeper.server.quorum.QuorumPeerMain '%[1]s/zoo.cfg' >'%[1]s/out' 2>&1
) &
server%[2]d=$!
`, dir, n+1)))
	}
	for _, client := range e.clients {
		require.NoError(t, rig.Poll(ctx, func() error {
			_, err := fourletter.Mode(ctx, client)
			return err
		}))
		heap, err := fourletter.Ask(ctx, client, "envi")
		require.NoError(t, err)
		require.Regexp(t, `os.memory.max=(19|20)\d\dMB`, heap, "the heap of java.env, less a half of the young generation's copies")
	}

	z, err := rig.NewZkine(rig.ZkineConfig{
		Program: program, Name: "one", DataDir: t.TempDir(), ZooKeeper: strings.Join(e.clients, ","),
	})
	require.NoError(t, err)
	t.Cleanup(func() { _, _ = z.Stop(context.WithoutCancel(ctx)) })
	require.NoError(t, z.Up(ctx))
	conn, err := rig.Dial(z.Endpoint)
	require.NoError(t, err)
	defer conn.Close()
	kv := pb.NewKVClient(conn)
	write := func(value string) {
		t.Helper()
		require.NoError(t, rig.Poll(ctx, func() error {
			once, cancel := context.WithTimeout(ctx, 5*time.Second)
			defer cancel()
			_, err := kv.Put(once, &pb.PutRequest{Key: []byte("k"), Value: []byte(value)})
			return err
		}))
		read, err := kv.Range(ctx, &pb.RangeRequest{Key: []byte("k")})
		require.NoError(t, err)
		require.Equal(t, value, string(read.Kvs[0].Value))
	}
	write("with three")
	require.NoError(t, shell.Run(ctx, "kill $server2\nwait $server2 || true\n"))
	write("with two")
}

// ensembleFiles are the settings of three servers on this machine.
type ensembleFiles struct {
	dirs    []string // of each server, with zoo.cfg, java.env and data/myid
	clients []string // host:port
}

// newEnsembleFiles copies the settings, with addresses of the loopback interface.
func newEnsembleFiles(t *testing.T, from string) (e ensembleFiles) {
	t.Helper()
	settings, err := os.ReadFile(filepath.Join(from, "zoo.cfg"))
	require.NoError(t, err)
	java, err := os.ReadFile(filepath.Join(from, "java.env"))
	require.NoError(t, err)
	var words []string
	for n := 1; n <= 3; n++ {
		var ports [3]string
		for i := range ports {
			port, err := embedded.FreePort()
			require.NoError(t, err)
			ports[i] = strconv.Itoa(port)
		}
		host := "127.0.0." + strconv.Itoa(n)
		e.clients = append(e.clients, host+":"+ports[2])
		line := fmt.Sprintf("server.%d=zk%[1]d:2888:3888;2181", n)
		require.Contains(t, string(settings), line)
		words = append(words, line, fmt.Sprintf("server.%d=%s:%s:%s;%s:%s", n, host, ports[0], ports[1], host, ports[2]))
	}
	for n := 1; n <= 3; n++ {
		dir := t.TempDir()
		text := strings.NewReplacer(append(words, "dataDir=/data\n", "dataDir="+dir+"/data\n", "dataLogDir=/datalog\n", "dataLogDir="+dir+"/datalog\n")...).
			Replace(string(settings))
		require.Contains(t, text, "dataLogDir="+dir)
		require.NoError(t, os.Mkdir(filepath.Join(dir, "data"), 0o700))
		for name, content := range map[string]string{"zoo.cfg": text, "java.env": string(java), "data/myid": strconv.Itoa(n)} {
			require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
		}
		e.dirs = append(e.dirs, dir)
	}
	return e
}
