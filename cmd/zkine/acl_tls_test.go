package main

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"regexp"
	"syscall"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision/zktest"
)

// TestARootIsMovedToACertificate has ZooKeeper know zkine by a certificate whose
// name has attributes that Java writes otherwise than Go, and closes a root to it
// that was made open.
func TestARootIsMovedToACertificate(t *testing.T) {
	authority := zktest.NewAuthority(t)
	server := zktest.Start(t, zktest.WithTLS(t, authority))
	issued := zktest.Issue(t, authority, pkix.Name{CommonName: "zkine, the first", Organization: []string{"Shop"}, ExtraNames: []pkix.AttributeTypeAndValue{
		{Type: asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 25}, Value: "example"},
		{Type: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}, Value: "zkine@example"},
	}})
	plain := startZkine(t, []string{"--zookeeper=" + server.Addr()})
	put(t, client(t, plain.ready()), "k", "v")
	plain.signal(syscall.SIGTERM)
	require.Zero(t, plain.end())

	secured := []string{"--zookeeper=" + server.SecureAddr(), "--zookeeper-cert-file=" + issued.CertFile, "--zookeeper-key-file=" + issued.KeyFile,
		"--zookeeper-trusted-ca-file=" + authority.CertFile()}
	out, err := zkine(append([]string{"acl", "apply", "--parents"}, secured...)...)
	require.NoError(t, err, out)
	require.Contains(t, out, "/: changed\n")
	out, err = zkine(append([]string{"acl", "verify"}, secured...)...)
	require.NoError(t, err, out)
	require.NotContains(t, out, "warning", "/ is closed, too")

	p := startZkine(t, append(secured, "--zookeeper-acl-strict"))
	kv := client(t, p.ready())
	expect(t, kv, "k", "v")
	put(t, kv, "k", "w")

	// The name as the server has it can be written as a list.
	anonymous, _, err := zk.Connect([]string{server.Addr()}, 10*time.Second, zk.WithLogInfo(false))
	require.NoError(t, err)
	t.Cleanup(anonymous.Close)
	_, _, err = anonymous.Get("/zkine/format")
	require.ErrorIs(t, err, zk.ErrNoAuth)
	match := regexp.MustCompile(`which are to have the ACL (x509:.*:cdrwa)\n`).FindStringSubmatch(out)
	require.NotNil(t, match, out)
	t.Log(match[1])
	require.Contains(t, match[1], "DC=example")
	require.Contains(t, match[1], "1.2.840.113549.1.9.1=#")
	out, err = zkine(append([]string{"acl", "verify", "--zookeeper-acl=" + match[1]}, secured...)...)
	require.NoError(t, err, out)
	require.Contains(t, out, "all have it\n")

	// A dry run tells of what is above as well, also where it would be opened.
	p.signal(syscall.SIGTERM)
	require.Zero(t, p.end())
	dry := append([]string{"acl", "apply", "--dry-run", "--parents"}, secured...)
	out, err = zkine(dry...)
	require.NoError(t, err, out)
	require.NotContains(t, out, "would be changed")
	out, err = zkine(append(dry, "--zookeeper-acl="+match[1]+";world:anyone:r")...)
	require.NoError(t, err, out)
	require.Contains(t, out, "\n/: would be changed\n")
}
