package zklog_test

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zklog"
	"github.com/zkine/zkine/revision/zkroot"
	"github.com/zkine/zkine/revision/zktest"
)

// TestPlacesForNoRoot opens logs where another program's znodes are: each is
// refused by name, with a remedy, and nothing is written.
func TestPlacesForNoRoot(t *testing.T) {
	server := zktest.Start(t, zktest.WithProperty("extendedTypesEnabled", "true"))
	conn, _, err := zk.Connect([]string{server.Addr()}, 4*time.Second, zk.WithLogInfo(false))
	require.NoError(t, err)
	defer conn.Close()
	all := zk.WorldACL(zk.PermAll)
	create := func(znode, data string, flags int32) {
		t.Helper()
		_, err := conn.Create(znode, []byte(data), flags, all)
		require.NoError(t, err)
	}
	open := func(root string) error {
		log, err := zklog.Open(t.Context(), zklog.Config{Dialer: dialer(server.Addr()), Root: root, Log: quiet()})
		if err == nil {
			require.NoError(t, log.Close())
		}
		return err
	}
	create("/data", "settings", 0)
	create("/ephemeral", "", zk.FlagEphemeral)
	create("/both", "lock", zk.FlagEphemeral)
	create("/deep", "", 0)
	create("/deep/er", "", zk.FlagEphemeral)
	create("/children", "", 0)
	create("/children/brokers", "", 0)
	require.NoError(t, open("/other"), "a root of zkine's own")
	for root, want := range map[string]string{
		"/data":              "/data holds 8 bytes",
		"/ephemeral":         "/ephemeral is ephemeral",
		"/both":              "/both is ephemeral",
		"/ephemeral/zkine":   "/ephemeral is ephemeral",
		"/deep/er/and/zkine": "/deep/er is ephemeral",
		"/children":          `/children has no format but holds ["brokers"]`,
		"/other/log":         "/other/log would lie within the root /other of another zkine",
		"/other/a/b":         "/other/a/b would lie within the root /other of another zkine",
	} {
		t.Run(strings.ReplaceAll(root, "/", "_"), func(t *testing.T) {
			before := znodes(t, conn, "/")
			err := open(root)
			require.ErrorIs(t, err, revision.ErrForeignRoot)
			require.ErrorContains(t, err, want)
			require.ErrorContains(t, err, "; choose another --zookeeper-root")
			require.Equal(t, before, znodes(t, conn, "/"), "something was written")
		})
	}

	// These are as good as any.
	create("/empty", "", 0)
	require.NoError(t, open("/empty"))
	require.NoError(t, open("/data/zkine"), "whose parent holds data")
	_, err = conn.CreateContainer("/container", nil, zk.FlagContainer, all)
	require.NoError(t, err)
	require.NoError(t, open("/container"))
	_, err = conn.CreateTTL("/ttl", nil, zk.FlagTTL, all, time.Hour)
	require.NoError(t, err)
	require.NoError(t, open("/ttl"))
	_, err = conn.Create("/closed", nil, 0, zk.WorldACL(zk.PermCreate))
	require.NoError(t, err)
	require.NoError(t, open("/closed/zkine"), "whose parent may not be looked at")
	for _, root := range []string{"/data/zkine", "/empty", "/other", "/container"} {
		require.NoError(t, open(root), "%s again", root)
	}
}

// znodes are all znodes below one, but ZooKeeper's own, with their versions.
func znodes(t *testing.T, conn *zk.Conn, from string) (out []string) {
	t.Helper()
	names, stat, err := conn.Children(from)
	if errors.Is(err, zk.ErrNoNode) {
		return nil
	}
	require.NoError(t, err)
	out = append(out, fmt.Sprint(from, " ", stat.Version, " ", stat.Cversion))
	for _, name := range names {
		if p := path.Join(from, name); p != "/zookeeper" {
			out = append(out, znodes(t, conn, p)...)
		}
	}
	return out
}

func TestRootsThatZooKeeperHasNoPathFor(t *testing.T) {
	for _, root := range []string{"/zkine\x00", "/a\tb", "/a\x7f", "/a\xff", "/a\ue000", "/a\ufffd", "/a\U0001F600",
		"", "/", "zkine", "/zkine/", "/a//b", "/a/../b", "/a/.", "/zookeeper", "/zookeeper/quota"} {
		require.Error(t, zkroot.CheckRoot(root), "%q", root)
	}
	server := zktest.Shared(t)
	for _, root := range []string{"/zookeeper2", "/a b", "/ä/木", "/a.b/..c"} {
		require.NoError(t, zkroot.CheckRoot(root), "%q", root)
		log, err := zklog.Open(t.Context(), zklog.Config{Dialer: dialer(server.Addr()), Root: root, Log: quiet()})
		require.NoError(t, err)
		require.NoError(t, log.Close())
	}
}
