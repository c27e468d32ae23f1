package secrets

import (
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/conformance/rig"
	"github.com/zkine/zkine/conformance/rig/rigtest"
	"github.com/zkine/zkine/revision/zktest"
)

// TestDamageIsToldWithoutData has each kind of znode hold a secret where it cannot be trusted. zkine, and zkine log
// verify, have to name the znode, and nothing of what is in it.
func TestDamageIsToldWithoutData(t *testing.T) {
	zooKeeper := zktest.Shared(t).Addr()
	conn, _, err := zk.Connect([]string{zooKeeper}, 10*time.Second, zk.WithLogInfo(false))
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	for name, c := range map[string]struct {
		// path is the znode below the root; damage makes of its data what it holds then.
		path   func(t *testing.T, root string) string
		damage func(data []byte, secret string) []byte
	}{
		"slot":              {slotOf(conn), appended},
		"slot of another":   {slotOf(conn), replaced},
		"format":            {below("/format"), replaced},
		"format, as JSON":   {below("/format"), asJSON},
		"open segment":      {below("/log"), replaced},
		"open segment JSON": {below("/log"), asJSON},
		"checkpoint":        {below("/checkpoint"), replaced},
		"checkpoint JSON":   {below("/checkpoint"), asJSON},
		"trust":             {below("/trust"), replaced},
		"trust JSON":        {below("/trust"), asJSON},
		"member":            {below("/members/second"), replaced},
		"member JSON":       {below("/members/second"), asJSON},
	} {
		t.Run(name, func(t *testing.T) {
			root := zktest.Root(t)
			s := &site{T: t}
			secret := s.secret(name)
			first := rigtest.StartOn(t, zooKeeper, root)
			client, err := rig.Dial(first.Endpoint)
			require.NoError(t, err)
			defer client.Close()
			_, err = pb.NewKVClient(client).Put(within(t), putOf("a", "b"))
			require.NoError(t, err)
			code, err := first.Stop(within(t))
			require.NoError(t, err)
			require.Zero(t, code)

			path := c.path(t, root)
			data, _, err := conn.Get(path)
			if err == zk.ErrNoNode {
				_, err = conn.Create(path, nil, 0, zk.WorldACL(zk.PermAll))
			}
			require.NoError(t, err)
			_, err = conn.Set(path, c.damage(data, secret), -1)
			require.NoError(t, err)
			data, _, err = conn.Get(path)
			require.NoError(t, err)
			require.Contains(t, string(data), secret)

			second, err := rig.NewZkine(rig.ZkineConfig{
				Program: rigtest.Program(t), Name: "second", ZooKeeper: zooKeeper, Root: root, DataDir: t.TempDir(), Args: []string{"--log-level=debug"},
			})
			require.NoError(t, err)
			require.NoError(t, second.Start())
			t.Cleanup(second.Kill)
			code, err = second.Wait(within(t))
			require.NoError(t, err)
			require.Positive(t, code)
			program := rigtest.Program(t)
			verified, _ := exec.CommandContext(within(t), program, "log", "verify", "--zookeeper="+zooKeeper, "--zookeeper-root="+root).CombinedOutput()
			t.Logf("%s\n%s", second.Output(), verified)
			s.search(place{"the log", path, []byte(second.Output())}, place{"what log verify says", root, verified})
		})
	}
}

func below(path string) func(*testing.T, string) string {
	return func(_ *testing.T, root string) string { return root + path }
}

// slotOf finds the last slot of the open segment.
func slotOf(conn *zk.Conn) func(*testing.T, string) string {
	return func(t *testing.T, root string) string {
		segments, _, err := conn.Children(root + "/log")
		require.NoError(t, err)
		require.Len(t, segments, 1)
		folder := root + "/log/" + segments[0]
		slots, _, err := conn.Children(folder)
		require.NoError(t, err)
		require.NotEmpty(t, slots)
		return folder + "/" + slots[0]
	}
}

// What znodes hold then.
func appended(data []byte, secret string) []byte { return append(data, secret...) }
func replaced(_ []byte, secret string) []byte    { return []byte(secret) }

// asJSON is valid JSON with the secret in the fields.
func asJSON(_ []byte, secret string) []byte {
	return []byte(strings.ReplaceAll(`{"format":1,"cluster_id":"S","open_segment":"S","latest":{"attempt":"S","segment":1,"manifest":{"parts":1}},"accepted":"S","id":"S","host":"S","pid":"S","boot":"S","urls":"S"}`, "S", secret))
}
