package server

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc/metadata"

	"github.com/zkine/zkine/revision/memzk"
	"github.com/zkine/zkine/revision/throttle"
)

// Texts that clients give get into the log and the metrics cut short, wherever they
// give them.
func TestTextsOfClientsAreCut(t *testing.T) {
	m := startMember(t, memzk.New(), "one", nil, func(c *Config) { c.SlowRequest = 1 })
	root := m.enableAuth(t)
	name := func(i int) string { return fmt.Sprint(i, strings.Repeat("x", 1<<20)) }
	for i := range 30 {
		_, err := m.auth.Authenticate(ctxFor(t), &pb.AuthenticateRequest{Name: name(i), Password: "p"})
		require.ErrorContains(t, err, "authentication failed")
	}
	long := []byte(name(0))
	for _, c := range []struct {
		what string
		call func() error
	}{
		{"a key", func() error { return m.get(root, name(0)) }},
		{"a range", func() error {
			_, err := m.kv.Range(root, &pb.RangeRequest{Key: []byte("a"), RangeEnd: long})
			return err
		}},
		{"a put", func() error { return m.put(root, name(0)) }},
		{"a delete", func() error {
			_, err := m.kv.DeleteRange(root, &pb.DeleteRangeRequest{Key: long, RangeEnd: []byte{0}})
			return err
		}},
		{"a compare", func() error {
			_, err := m.kv.Txn(root, &pb.TxnRequest{Compare: []*pb.Compare{{Key: long}}})
			return err
		}},
		{"a role", func() error { _, err := m.auth.RoleAdd(root, &pb.AuthRoleAddRequest{Name: name(0)}); return err }},
		{"a user", func() error {
			_, err := m.auth.UserAdd(root, &pb.AuthUserAddRequest{Name: name(0), Password: "p"})
			return err
		}},
		{"a version and an agent", func() error {
			x := strings.Repeat("x", 20<<10)
			return m.get(metadata.AppendToOutgoingContext(root, "client-api-version", x, "user-agent", x), "k")
		}},
	} {
		require.NoError(t, c.call(), c.what)
	}
	require.Error(t, m.get(withToken(t, strings.Repeat("x", 20<<10)), "k"))

	logins := 0
	for _, e := range m.log.AllEntries() {
		text, err := e.String()
		require.NoError(t, err)
		require.Less(t, len(text), 1<<10, "a line of the log")
		require.NotContains(t, text, strings.Repeat("x", throttle.MaxText+1))
		if strings.HasPrefix(e.Message, "a login failed") {
			logins++
		}
	}
	require.Greater(t, logins, 0)
	require.LessOrEqual(t, logins, 16, "names of which lines are written in a period")

	resp, err := http.Get(m.web + "/metrics")
	require.NoError(t, err)
	defer resp.Body.Close()
	shown, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NotContains(t, string(shown), "xxx")
	http.DefaultClient.CloseIdleConnections()
}
