package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision/zkacl"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zktest"
)

// authFile writes an auth file, and returns its name.
func authFile(t *testing.T, credentials ...string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "auth")
	writeAuth(t, name, credentials...)
	return name
}

func writeAuth(t *testing.T, name string, credentials ...string) {
	t.Helper()
	text := "# who zkine is\n"
	for _, c := range credentials {
		text += "digest:" + c + "\n"
	}
	require.NoError(t, os.WriteFile(name+".new", []byte(text), 0o600))
	require.NoError(t, os.Rename(name+".new", name))
}

// entry is that of a user:password in a list.
func entry(credential string) string {
	user, password, _ := strings.Cut(credential, ":")
	return zkacl.List(zk.DigestACL(zk.PermAll, user, password)).String()
}

// TestACLDigest prints what zkCli.sh and the server make of a credential.
func TestACLDigest(t *testing.T) {
	const want = "digest:super:D/InIHSb7yEEbrWz8b9l71RjZJU=:cdrwa\n" // of super:test
	file := authFile(t, "super:test", "a:b:c")
	out, err := zkine("acl", "digest", "--zookeeper-auth-file="+file)
	require.NoError(t, err)
	require.Equal(t, want+entry("a:b:c")+"\n", out)

	cmd := newCommand(nil)
	var b strings.Builder
	cmd.SetOut(&b)
	cmd.SetIn(strings.NewReader("digest:super:test\nsasl:zkine:pw\n"))
	cmd.SetArgs([]string{"acl", "digest"})
	require.NoError(t, cmd.Execute())
	require.Equal(t, want+"sasl:zkine:cdrwa\n", b.String())

	_, err = zkine("acl", "digest", "super:test")
	require.ErrorContains(t, err, "an argument that belongs to no flag")
	require.NoError(t, os.WriteFile(file, []byte("digest:secret\n"), 0o600))
	_, err = zkine("acl", "digest", "--zookeeper-auth-file="+file)
	require.ErrorContains(t, err, "line 1: it is not a user and a password")
	require.NotContains(t, err.Error(), "secret")
}

// TestACLApply closes a root that a zkine made open, and looks at it before and
// after.
func TestACLApply(t *testing.T) {
	args, root, conn := sharedRoot(t)
	p := startZkine(t, append(args, "--name=a"))
	put(t, client(t, p.ready()), "k", "v")
	secured := slices.Concat(args, []string{"--zookeeper-auth-file=" + authFile(t, "zkine:pw")})

	// The order is zkines first.
	out, err := zkine(append([]string{"acl", "apply"}, secured...)...)
	require.ErrorContains(t, err, "member a: it creates znodes with the ACL world:anyone:cdrwa — restart that zkine with --zookeeper-acl")
	require.Contains(t, out, "have world:anyone:cdrwa (weaker), like "+root)
	p.signal(syscall.SIGTERM)
	require.Zero(t, p.end())

	out, err = zkine(append([]string{"acl", "verify", "--list=3"}, secured...)...)
	require.ErrorContains(t, err, "of its znodes have another ACL — run zkine acl apply with the same flags")
	require.Regexp(t, `(?m)^`+root+`: weaker: world:anyone:cdrwa$`, out)
	require.Regexp(t, `(?m)^and \d+ more$`, out)
	require.Regexp(t, `(?m)^/: warning: others may touch what lies directly below it, while that is empty: world:anyone:cda; `, out)

	out, err = zkine(append([]string{"acl", "apply", "--dry-run", "--parents"}, secured...)...)
	require.NoError(t, err)
	require.Regexp(t, `(?m)^dry run: nothing was changed; \d+ znodes would be$`, out)
	require.Regexp(t, `(?m)^/: would be changed$`, out)
	acl, _, err := conn.GetACL(root)
	require.NoError(t, err)
	require.Equal(t, zk.WorldACL(zk.PermAll), acl)

	out, err = zkine(append([]string{"acl", "apply"}, secured...)...)
	require.NoError(t, err, out)
	require.Regexp(t, `(?m)^changed \d+ znodes$`, out)
	require.NotContains(t, out, entry("zkine:pw"), "the hash is cut short")
	_, _, err = conn.Children(root)
	require.ErrorIs(t, err, zk.ErrNoAuth)
	acl, _, err = conn.GetACL("/")
	require.NoError(t, err)
	require.Equal(t, zk.WorldACL(zk.PermAll), acl, "what is above belongs to others")

	out, err = zkine(append([]string{"acl", "verify"}, secured...)...)
	require.NoError(t, err, out)
	require.Contains(t, out, "all have it\n")
	out, err = zkine(append([]string{"acl", "apply"}, secured...)...)
	require.NoError(t, err)
	require.Contains(t, out, "changed 0 znodes\n")

	// zkine serves it, and nobody else's zkine does.
	p = startZkine(t, append(secured, "--zookeeper-acl-strict"))
	expect(t, client(t, p.ready()), "k", "v")
	stranger := startZkine(t, args)
	require.Contains(t, stranger.problem(), "access denied, the znode's ACL keeps this zkine out — give zkine all permissions on everything under its root with zkine acl apply")
}

// TestACLApplyRefuses what locks out, and roots that are none.
func TestACLApplyRefuses(t *testing.T) {
	args, root, conn := sharedRoot(t)
	p := startZkine(t, args)
	p.ready()
	p.signal(syscall.SIGTERM)
	p.end()
	foreign := root + "-kafka"
	create(t, conn, foreign, "")
	create(t, conn, foreign+"/brokers", "")
	file := "--zookeeper-auth-file=" + authFile(t, "zkine:pw")
	short := strings.TrimSuffix(entry("zkine:pw"), "cdrwa")
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{file, "--zookeeper-acl=" + entry("somebody:else")}, "locks this zkine out: it does not let it create (c) — give all permissions, cdrwa, to it, whom ZooKeeper knows by digest:zkine:"},
		{[]string{file, "--zookeeper-acl=" + short + "cdrw"}, "change the ACL"},
		{[]string{"--zookeeper-acl=" + entry("zkine:pw")}, "whom ZooKeeper knows by its address alone"},
		{[]string{"--zookeeper-acl=creator"}, "--zookeeper-acl: creator is who zkine authenticates as, and it does not"},
		{[]string{"--zookeeper-acl=auth::cdrwa"}, "ZooKeeper knows this zkine by its address alone — name credentials"},
		{[]string{"--zookeeper-acl=everyone"}, "--zookeeper-acl: not an ACL"},
		{[]string{file, "--zookeeper-root=" + foreign}, "no zkine data under " + foreign},
		{[]string{file, "--zookeeper-root=" + root + "x"}, "no zkine data under " + root + "x"},
		{[]string{file, "--cluster-id=abc"}, "--cluster-id asks for abc"},
	} {
		_, err := zkine(append(append([]string{"acl", "apply"}, args...), c.args...)...)
		require.ErrorContains(t, err, c.want, "%q", c.args)
	}
	for _, znode := range []string{root, foreign} {
		acl, _, err := conn.GetACL(znode)
		require.NoError(t, err)
		require.Equal(t, zk.WorldACL(zk.PermAll), acl)
	}
	names, _, err := conn.Children(root)
	require.NoError(t, err)
	require.NotContains(t, strings.Join(names, " "), "acl-", "nothing is left of the trials")
}

// TestStartsThatACLsRefuse creates nothing that would lock the zkine out, and
// warns of, or refuses, a root that is open to more than configured.
func TestStartsThatACLsRefuse(t *testing.T) {
	args, root, conn := sharedRoot(t)
	file := "--zookeeper-auth-file=" + authFile(t, "zkine:pw")
	p := startZkine(t, append(args, file, "--zookeeper-acl="+entry("somebody:else")))
	require.Contains(t, p.problem(), "--zookeeper-acl: the list locks this zkine out: it does not let it create (c)")
	found, _, err := conn.Exists(root)
	require.NoError(t, err)
	require.False(t, found, "before anything is created")

	p = startZkine(t, args)
	p.ready()
	p.signal(syscall.SIGTERM)
	p.end()
	const open = `root .*: its znodes are open to more than --zookeeper-acl says: .*, for one, has world:anyone:cdrwa.*zkine acl apply`
	strict := startZkine(t, append(args, file, "--zookeeper-acl-strict"))
	require.Regexp(t, open, strict.problem())
	p = startZkine(t, append(args, file))
	p.await("level=warning.*" + open)
	p.ready()
	p = startZkine(t, append(args, "--name=strict", "--zookeeper-acl-strict"))
	require.Equal(t, 2, p.end())
	require.Contains(t, p.text(), "--zookeeper-acl-strict: everyone may touch the znodes")
}

// TestARootBelowAClosedZnode: on a shared ensemble what is above the root may be
// others', and need not even be readable.
func TestARootBelowAClosedZnode(t *testing.T) {
	args, root, conn := sharedRoot(t)
	require.NoError(t, conn.AddAuth("digest", []byte("admin:pw")))
	_, err := conn.Create(root, nil, 0, zk.DigestACL(zk.PermAll, "admin", "pw"))
	require.NoError(t, err)
	_, err = conn.Create(root+"/zkine", nil, 0, zk.DigestACL(zk.PermAll, "zkine", "pw"))
	require.NoError(t, err)
	p := startZkine(t, append(args, "--zookeeper-root="+root+"/zkine", "--zookeeper-auth-file="+authFile(t, "zkine:pw"), "--zookeeper-acl-strict"))
	put(t, client(t, p.ready()), "k", "v")
}

// TestACLApplyOverALostConnection loses the connection between a change and its
// reply, and goes on with another one.
func TestACLApplyOverALostConnection(t *testing.T) {
	args, root, _ := sharedRoot(t)
	p := startZkine(t, args)
	put(t, client(t, p.ready()), "k", "v")
	p.signal(syscall.SIGTERM)
	p.end()
	const opSetACL = 7
	proxy := zktest.NewProxy(t, zktest.Shared(t).Addr())
	trap := proxy.LoseReply(opSetACL)
	flags := []string{"--zookeeper=" + proxy.Addr(), "--zookeeper-root=" + root, "--zookeeper-auth-file=" + authFile(t, "zkine:pw")}
	out, err := zkine(append([]string{"acl", "apply"}, flags...)...)
	require.NoError(t, err, out)
	require.True(t, trap.Wait().Answered)
	require.Contains(t, out, "the connection to ZooKeeper was lost; going on with another one")
	out, err = zkine(append([]string{"acl", "verify"}, flags...)...)
	require.NoError(t, err, out)
}

func TestLost(t *testing.T) {
	unwritten := &net.OpError{Op: "write", Net: "tcp", Err: syscall.ECONNRESET}
	for _, err := range []error{zkclient.ErrSessionOver, zk.ErrConnectionClosed, zk.ErrNoServer, unwritten} {
		require.True(t, lost(fmt.Errorf("list /zkine/log: %w", err)), err)
	}
	for _, err := range []error{nil, zk.ErrNoAuth, zk.ErrNoNode, context.Canceled} {
		require.False(t, lost(err), err)
	}
}
