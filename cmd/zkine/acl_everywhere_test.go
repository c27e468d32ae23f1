package main

import (
	"crypto/x509/pkix"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision/zkacl"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zkclient/identity"
	"github.com/zkine/zkine/revision/zktest"
	"github.com/zkine/zkine/revision/zktest/certs"
)

// TestEveryZnodeCarriesTheACL has a zkine with tiny segments make znodes of every
// kind, and looks at all of them.
func TestEveryZnodeCarriesTheACL(t *testing.T) {
	authority := zktest.NewAuthority(t)
	server := zktest.Start(t, zktest.WithTLS(t, authority))
	issued := zktest.Issue(t, authority, pkix.Name{CommonName: "zkine", Organization: []string{"Shop"}})
	plain := []string{"--zookeeper=" + server.Addr(), "--zookeeper-auth-file=" + authFile(t, "zkine:pw")}
	explicit := entry("zkine:pw") + ";" + entry("auditor:pw")
	for name, c := range map[string]struct {
		args []string
		want string
		see  *zkclient.Ensemble
	}{
		"creator": {plain, entry("zkine:pw"), &zkclient.Ensemble{Servers: []string{server.Addr()}, Credentials: digestOf("zkine:pw")}},
		"a list": {append(plain, "--zookeeper-acl="+explicit), explicit,
			&zkclient.Ensemble{Servers: []string{server.Addr()}, Credentials: digestOf("auditor:pw")}},
		"a certificate": {
			[]string{"--zookeeper=" + server.SecureAddr(), "--zookeeper-cert-file=" + issued.CertFile, "--zookeeper-key-file=" + issued.KeyFile, "--zookeeper-trusted-ca-file=" + authority.CertFile()},
			"x509:CN=zkine,O=Shop:cdrwa", &zkclient.Ensemble{Servers: []string{server.SecureAddr()}, TLS: tlsOf(t, issued, authority.CertFile())},
		},
	} {
		t.Run(name, func(t *testing.T) {
			root := "/" + strings.ReplaceAll(name, " ", "-") + "/in/between"
			args := append([]string{"--zookeeper-root=" + root}, c.args...)
			p := startZkine(t, append(slices.Clone(args), "--log-segment-slots=8", "--checkpoint-log-bytes=4000", "--max-zookeeper-request=65536", "--zookeeper-acl-strict"))
			kv := client(t, p.ready())
			c.see.Timeout, c.see.MaxRequest, c.see.Log = 10*time.Second, 900<<10, newLogger(io.Discard, "error", "text")
			conn, err := c.see.Dial(within(t))
			require.NoError(t, err)
			t.Cleanup(conn.Close)
			kinds := map[string]string{"slots": "/log", "parts": "/stage", "packs": "/pack", "chunks": "/checkpoint"}
			for i := 0; len(kinds) > 0 && i < 3000; i++ {
				put(t, kv, fmt.Sprint("k", i%50), strings.Repeat(fmt.Sprint(i, " "), 100))
				if i%20 == 0 {
					put(t, kv, "large", string(incompressible(200_000+i)))
				}
				for kind, folder := range kinds {
					if hasGrandchild(t, conn, root+folder) {
						delete(kinds, kind)
					}
				}
			}
			require.Empty(t, kinds, "none of these was made")
			out, err := zkine(append([]string{"log", "accept", "--cluster-id=" + p.await(`serving cluster ([0-9a-f]+)`)}, args...)...)
			require.NoError(t, err, out)
			out, err = zkine(append([]string{"acl", "verify"}, args...)...)
			require.NoError(t, err, out)
			require.Contains(t, out, "all have it\n")
			want, err := zkacl.Parse(c.want)
			require.NoError(t, err)
			session, err := zkacl.SessionOf(conn)
			require.NoError(t, err)
			for _, p := range []string{path.Dir(path.Dir(root)), path.Dir(root), root, root + "/format", root + "/trust"} {
				acl, _, err := session.GetACL(t.Context(), p)
				require.NoError(t, err)
				require.ElementsMatch(t, []zk.ACL(want), acl, p)
			}
		})
	}
}

func digestOf(credential string) func() []identity.Credential {
	return func() []identity.Credential {
		return []identity.Credential{{Scheme: "digest", Secret: []byte(credential)}}
	}
}

func tlsOf(t *testing.T, issued certs.Issued, authority string) *identity.TLS {
	t.Helper()
	secured, err := identity.NewTLS(identity.Files{CertFile: issued.CertFile, KeyFile: issued.KeyFile, TrustedCAFile: authority}, newLogger(io.Discard, "error", "text"))
	require.NoError(t, err)
	return secured
}

func hasGrandchild(t *testing.T, conn zkclient.Conn, folder string) bool {
	t.Helper()
	names, err := conn.Children(t.Context(), folder)
	require.NoError(t, err)
	for _, name := range names {
		if below, err := conn.Children(t.Context(), folder+"/"+name); err == nil && len(below) > 0 {
			return true
		}
	}
	return false
}

// TestAnExplicitListOfFullSize has zkine work with the longest list that is let in.
func TestAnExplicitListOfFullSize(t *testing.T) {
	args, _, _ := sharedRoot(t)
	list := entry("zkine:pw")
	for i := 0; len(list) < 4<<10-400; i++ {
		list += ";" + strings.Replace(entry(fmt.Sprintf("%s-%d:pw", strings.Repeat("o", 300), i)), "cdrwa", "r", 1)
	}
	p := startZkine(t, append(args, "--zookeeper-auth-file="+authFile(t, "zkine:pw"), "--max-zookeeper-request=65536", "--zookeeper-acl="+list))
	kv := client(t, p.ready())
	value := string(incompressible(1_000_000))
	put(t, kv, "large", value)
	expect(t, kv, "large", value)
}
