package embedded_test

import (
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision/embedded"
	"github.com/zkine/zkine/revision/zkclient/fourletter"
	"github.com/zkine/zkine/revision/zkclient/identity"
)

// closedConfig is config of a server as the product has it.
func closedConfig(dir string) embedded.Config {
	cfg := config(dir)
	cfg.Open = false
	return cfg
}

// known connects and shows a credential.
func known(t *testing.T, addr string, c identity.Credential) *zk.Conn {
	t.Helper()
	conn := connect(t, addr)
	require.NoError(t, conn.AddAuth(c.Scheme, c.Secret))
	return conn
}

func TestAClosedServer(t *testing.T) {
	dir := t.TempDir()
	s := start(t, closedConfig(dir))
	owner := known(t, s.Addr(), s.Credential())
	_, err := owner.Create("/a", []byte("1"), 0, zk.AuthACL(zk.PermAll))
	require.NoError(t, err)
	acl, _, err := owner.GetACL("/a")
	require.NoError(t, err)
	require.Equal(t, []zk.ACL{s.Owner()}, acl)

	t.Run("turns away who shows nothing", func(t *testing.T) {
		_, _, err := connect(t, s.Addr()).Get("/")
		require.Error(t, err)
	})
	t.Run("gives nothing to who shows something else", func(t *testing.T) {
		stranger := known(t, s.Addr(), identity.Credential{Scheme: "digest", Secret: []byte("super:admin")})
		_, _, err := stranger.Get("/a")
		require.ErrorIs(t, err, zk.ErrNoAuth)
	})
	t.Run("lets the superuser pass any ACL", func(t *testing.T) {
		_, err := owner.Create("/theirs", []byte("2"), 0, zk.DigestACL(zk.PermAll, "someone", "else"))
		require.NoError(t, err)
		_, _, err = owner.Get("/theirs")
		require.ErrorIs(t, err, zk.ErrNoAuth, "the owner has more rights than it needs")
		super := known(t, s.Addr(), s.Superuser())
		data, _, err := super.Get("/theirs")
		require.NoError(t, err)
		require.Equal(t, "2", string(data))
		_, err = super.SetACL("/theirs", []zk.ACL{s.Owner()}, -1)
		require.NoError(t, err)
	})
	t.Run("is the same after a death and after a restart", func(t *testing.T) {
		before := s.Credential()
		require.NoError(t, syscall.Kill(s.Pid(), syscall.SIGKILL))
		require.NoError(t, s.Stop(within(t)))
		s = start(t, closedConfig(dir))
		require.Equal(t, before, s.Credential())
		for _, path := range []string{"/a", "/theirs"} {
			acl, _, err := known(t, s.Addr(), s.Credential()).GetACL(path)
			require.NoError(t, err)
			require.Equal(t, []zk.ACL{s.Owner()}, acl)
		}
	})
	t.Run("yields to the superuser of a new secret", func(t *testing.T) {
		before := s.Owner()
		require.NoError(t, s.Stop(within(t)))
		require.NoError(t, os.Remove(filepath.Join(dir, "data", "secret")))
		s = start(t, closedConfig(dir))
		require.NotEqual(t, before, s.Owner())
		_, _, err := known(t, s.Addr(), s.Credential()).Get("/a")
		require.ErrorIs(t, err, zk.ErrNoAuth)
		_, _, err = known(t, s.Addr(), s.Superuser()).Get("/a")
		require.NoError(t, err)
	})
}

// TestConnectionsAreBounded has more of them than zkine needs turned away, and those that were there live on.
func TestConnectionsAreBounded(t *testing.T) {
	s := start(t, closedConfig(t.TempDir()))
	first := known(t, s.Addr(), s.Credential())
	for range 60 {
		conn, err := net.Dial("tcp", s.Addr())
		require.NoError(t, err)
		t.Cleanup(func() { conn.Close() })
	}
	// Those without a session are closed after 10 s, one that is too many at once.
	require.Eventually(t, func() bool {
		answer, err := fourletter.Ask(within(t), s.Addr(), "srvr")
		return err != nil || answer == ""
	}, patience, time.Millisecond)
	_, _, err := first.Get("/")
	require.NoError(t, err)
}

func TestAMemberOfAnEnsembleIsOpen(t *testing.T) {
	cfg := closedConfig(t.TempDir())
	cfg.Ensemble = &embedded.Ensemble{ID: 1}
	_, err := embedded.Start(within(t), cfg)
	require.ErrorContains(t, err, "must be open")
}
