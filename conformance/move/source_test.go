package move

import (
	"crypto/x509/pkix"
	"fmt"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/conformance/rig"
	"github.com/zkine/zkine/conformance/rig/rigtest"
	"github.com/zkine/zkine/revision/zktest/certs"
)

// TestImportByTLS shows a certificate to an etcd that asks for one, and judges the etcd's.
func TestImportByTLS(t *testing.T) {
	t.Parallel()
	ours, err := certs.New(t.TempDir())
	require.NoError(t, err)
	others, err := certs.New(t.TempDir())
	require.NoError(t, err)
	serving, err := ours.Issue(pkix.Name{CommonName: "etcd"}, "127.0.0.1")
	require.NoError(t, err)
	client, err := ours.Issue(pkix.Name{CommonName: "client"})
	require.NoError(t, err)
	addresses, err := rig.FreeAddresses(2)
	require.NoError(t, err)
	p, err := rig.Start(rig.Program{Path: rigtest.Component(t, "etcd"), Args: []string{
		"--name=tls", "--data-dir=" + t.TempDir(), "--unsafe-no-fsync", "--log-level=error",
		"--listen-client-urls=https://" + addresses[0], "--advertise-client-urls=https://" + addresses[0],
		"--listen-peer-urls=http://" + addresses[1], "--initial-advertise-peer-urls=http://" + addresses[1], "--initial-cluster=tls=http://" + addresses[1],
		"--cert-file=" + serving.CertFile, "--key-file=" + serving.KeyFile, "--trusted-ca-file=" + ours.CertFile(), "--client-cert-auth",
	}})
	require.NoError(t, err)
	t.Cleanup(p.Kill)

	root := newRoot(t)
	shown := []string{"--endpoints=" + addresses[0], "--cacert=" + ours.CertFile(), "--cert=" + client.CertFile, "--key=" + client.KeyFile}
	eventually(t, func() error {
		if r := root.zkine(t, "import", append(shown, "--dry-run")...); r.code != 0 {
			return fmt.Errorf("%s", r)
		}
		return nil
	})
	requireOneLine(t, root.zkine(t, "import", "--endpoints=https://"+addresses[0], "--cacert="+others.CertFile(), "--cert="+client.CertFile, "--key="+client.KeyFile, "--dial-timeout=1s"), addresses[0])
	requireOneLine(t, root.zkine(t, "import", "--endpoints=https://"+addresses[0], "--cacert="+ours.CertFile(), "--dial-timeout=1s"), addresses[0])
	requireOneLine(t, root.zkine(t, "import", "--endpoints=https://"+addresses[0], "--cacert=/nowhere"), "--cacert")
	r := root.zkine(t, "import", shown...)
	require.Zero(t, r.code, r)
}

// TestImportDoesNotFollowPastACompaction, which would leave changes out.
func TestImportDoesNotFollowPastACompaction(t *testing.T) {
	t.Parallel()
	etcd, root := newEtcd(t), newRoot(t)
	f := newFiller(t)
	f.write(t, etcd, 20)
	from := "--endpoints=" + etcd.endpoint
	follow := root.startZkine(t, "import", from, "--follow")
	awaitFollowing(t, follow)
	follow.Kill()
	f.write(t, etcd, 50)
	require.NoError(t, first(etcd.Compact(within(t), etcd.revision(t))))
	requireOneLine(t, root.zkine(t, "import", from, "--follow"), "has compacted", "another --zookeeper-root")
	requireOneLine(t, root.zkine(t, "import", "--endpoints="+newEtcd(t).endpoint, "--follow"), "does not hold what the source held")
}

// TestImportFollowsUntilItIsCloseBehind, and ends when a zkine comes to the root.
func TestImportFollowsUntilItIsCloseBehind(t *testing.T) {
	t.Parallel()
	etcd, root := newEtcd(t), newRoot(t)
	f := newFiller(t)
	f.write(t, etcd, 20)
	from := "--endpoints=" + etcd.endpoint
	r := root.zkine(t, "import", from, "--follow", "--until-lag=1s")
	require.Zero(t, r.code, r)
	require.Contains(t, r.out, "both sides are the same")

	// A source that is started again is found again.
	follow := root.startZkine(t, "import", from, "--follow")
	awaitFollowing(t, follow)
	_, err := etcd.process.Stop(within(t))
	require.NoError(t, err)
	require.NoError(t, etcd.process.Start())
	require.NoError(t, etcd.process.AwaitServing(within(t), etcd.endpoint))
	f.write(t, etcd, 20)
	follow.Signal(syscall.SIGTERM)
	code, err := follow.Wait(within(t))
	require.NoError(t, err)
	require.Zero(t, code, follow.Output())

	follow = root.startZkine(t, "import", from, "--follow")
	awaitFollowing(t, follow)
	requireSameNow(t, etcd, root.serve(t))
	code, err = follow.Wait(within(t))
	require.NoError(t, err)
	require.Equal(t, 1, code, follow.Output())
	require.Contains(t, follow.Output(), "another program writes to the root")
}

// TestImportOfAPart reads what a user may read.
func TestImportOfAPart(t *testing.T) {
	t.Parallel()
	etcd, root := newEtcd(t), newRoot(t)
	newFiller(t).write(t, etcd, 50)
	want, _ := etcd.keys(t, 0, "/registry/")
	addUsers(t, etcd, true)
	login := []string{"--endpoints=" + etcd.endpoint, "--user=ann", "--password-file=" + writeFile(t, "ann's secret")}
	requireOneLine(t, root.zkine(t, "import", login...), "name root with --user")
	r := root.zkine(t, "import", append(login, "--prefix=/registry/")...)
	require.Zero(t, r.code, r)
	got, _ := root.serve(t).keys(t, 0)
	requireSameKeys(t, want, got)
	requireOneLine(t, newRoot(t).zkine(t, "import", "--endpoints="+etcd.endpoint, "--user=ann:wrong"), "authentication failed")
}
