package zkclient_test

import (
	"context"
	"crypto/x509/pkix"
	"encoding/asn1"
	"net"
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zkclient/identity"
	"github.com/zkine/zkine/revision/zktest"
	"github.com/zkine/zkine/revision/zktest/certs"
)

// securely dials with TLS.
func securely(t *testing.T, files identity.Files, servers ...string) *zkclient.Ensemble {
	t.Helper()
	d := patient(servers...)
	var err error
	d.TLS, err = identity.NewTLS(files, discard())
	require.NoError(t, err)
	return d
}

func filesOf(a *certs.Authority, client certs.Issued) identity.Files {
	return identity.Files{CertFile: client.CertFile, KeyFile: client.KeyFile, TrustedCAFile: a.CertFile()}
}

func shop(name string) pkix.Name {
	return pkix.Name{CommonName: name, Organization: []string{"Shop"}, Country: []string{"DE"}}
}

// TestTLS goes through what a session does. What it creates as its creator
// belongs to the name in its certificate alone.
func TestTLS(t *testing.T) {
	authority := zktest.NewAuthority(t)
	server := zktest.Start(t, zktest.WithTLS(t, authority))
	d := securely(t, filesOf(authority, zktest.Issue(t, authority, shop("zkine"))), server.SecureAddr())
	d.ACL = zk.AuthACL(zk.PermAll)
	conn := session(t, d)
	_, err := conn.Multi(t.Context(), zkclient.CreateOp("/tls", []byte("x")))
	require.NoError(t, err)
	data, _, err := conn.Get(t.Context(), "/tls")
	require.NoError(t, err)
	require.Equal(t, "x", string(data))

	others := securely(t, filesOf(authority, zktest.Issue(t, authority, shop("others"))), server.SecureAddr())
	for name, stranger := range map[string]*zkclient.Ensemble{"anonymous": patient(server.Addr()), "another name": others} {
		_, _, err := session(t, stranger).Get(t.Context(), "/tls")
		require.ErrorIs(t, err, zk.ErrNoAuth, name)
	}
	for _, s := range d.Found(t.Context()) {
		answer, err := s.Ask(t.Context(), "srvr")
		require.NoError(t, err)
		require.Contains(t, answer, "Mode: standalone", "four-letter words go through TLS")
	}
}

// TestWhyThereIsNoTLS: the Go client alone says nothing of it, and tries for
// ever. With TLS 1.3 a certificate is refused after the handshake has passed.
func TestWhyThereIsNoTLS(t *testing.T) {
	authority, foreign := zktest.NewAuthority(t), zktest.NewAuthority(t)
	server := zktest.Start(t, zktest.WithTLS(t, authority))
	client := zktest.Issue(t, authority, shop("zkine"))
	_, port, err := net.SplitHostPort(server.SecureAddr())
	require.NoError(t, err)
	for name, c := range map[string]struct {
		server string
		files  identity.Files
		want   string
	}{
		"no certificate": {server.SecureAddr(), identity.Files{TrustedCAFile: authority.CertFile()},
			`: no TLS connection: the server says remote error: tls: .*: it does not accept this zkine's certificate, or wants one; see --zookeeper-cert-file`},
		"a certificate of another authority": {server.SecureAddr(), filesOf(authority, zktest.Issue(t, foreign, shop("zkine"))),
			`: no TLS connection: the server says remote error: tls: .*; see --zookeeper-cert-file`},
		"a server of another authority": {server.SecureAddr(), filesOf(foreign, client),
			`: no TLS connection: the server's certificate does not hold: x509: certificate signed by unknown authority.*; see --zookeeper-trusted-ca-file`},
		"a server of another name": {"zookeeper.example:" + port, filesOf(authority, client),
			`^no ZooKeeper server gives a session: zookeeper.example:\d+: no TLS connection: the server's certificate does not hold: x509: .*localhost, not zookeeper.example; .*asked for as "zookeeper.example"`},
		"a server of another name than --zookeeper-server-name": {server.SecureAddr(), named(filesOf(authority, client), "nobody.example"),
			`not nobody.example; .*asked for as "nobody.example"`},
		"a server that keeps silent": {zktest.Hung(t), filesOf(authority, client), `: accepts connections and keeps silent \(`},
		"TLS to a plain port": {server.Addr(), filesOf(authority, client),
			`: no TLS connection: the server closes the connection during the handshake; see that --zookeeper names its secureClientPort`},
	} {
		t.Run(name, func(t *testing.T) {
			d := securely(t, c.files, c.server)
			d.Lookup = func(context.Context, string) ([]string, error) { return []string{"127.0.0.1"}, nil }
			requireReason(t, d, c.want)
		})
	}
}

func named(f identity.Files, name string) identity.Files {
	f.ServerName = name
	return f
}

// requireReason dials for longer and longer, since a busy machine is slow to shake
// hands, until the reason that Dial gives is the one that is wanted.
func requireReason(t *testing.T, d *zkclient.Ensemble, want string) {
	t.Helper()
	for within := time.Second; ; within *= 2 {
		ctx, cancel := context.WithTimeout(t.Context(), within)
		_, err := d.Dial(ctx)
		cancel()
		require.Error(t, err)
		if within > time.Minute || regexp.MustCompile(want).MatchString(err.Error()) {
			require.Regexp(t, want, err.Error())
			return
		}
	}
}

// TestACertificateIsForTheConfiguredName: what is dialed is an address, and may
// be another one each time; what the certificate must hold for is the name.
func TestACertificateIsForTheConfiguredName(t *testing.T) {
	authority := zktest.NewAuthority(t)
	server := zktest.Start(t, zktest.WithTLS(t, authority))
	_, port, err := net.SplitHostPort(server.SecureAddr())
	require.NoError(t, err)
	files := filesOf(authority, zktest.Issue(t, authority, shop("zkine")))
	addresses := []string{"127.0.0.9"} // no server is there
	named := securely(t, files, "localhost:"+port)
	named.Lookup = func(context.Context, string) ([]string, error) {
		found := addresses
		addresses = []string{"127.0.0.1"}
		return found, nil
	}
	session(t, named)

	files.ServerName = "localhost"
	other := securely(t, files, "zookeeper.example:"+port)
	other.Lookup = named.Lookup
	session(t, other)
}

// TestFilesThatChangeAreRead: a certificate that was replaced is used by the next
// connection, and one that cannot be used is not.
func TestFilesThatChangeAreRead(t *testing.T) {
	authority := zktest.NewAuthority(t)
	server := zktest.Start(t, zktest.WithTLS(t, authority))
	one, two := zktest.Issue(t, authority, shop("one")), zktest.Issue(t, authority, shop("two"))
	files := filesOf(authority, one)
	d := securely(t, files, server.SecureAddr())
	d.ACL = zk.AuthACL(zk.PermAll)
	create := func(path string) {
		_, err := session(t, d).Multi(t.Context(), zkclient.CreateOp(path, nil))
		require.NoError(t, err)
	}
	create("/first")
	require.NoError(t, os.WriteFile(one.CertFile, []byte("half a certificate"), 0o600))
	create("/while-broken")
	replace(t, two.KeyFile, one.KeyFile)
	create("/while-the-key-is-of-another")
	replace(t, two.CertFile, one.CertFile)
	create("/second")

	mine := securely(t, filesOf(authority, zktest.Issue(t, authority, shop("one"))), server.SecureAddr())
	conn := session(t, mine)
	for path, readable := range map[string]bool{"/first": true, "/while-broken": true, "/while-the-key-is-of-another": true, "/second": false} {
		_, _, err := conn.Get(t.Context(), path)
		require.Equal(t, readable, err == nil, "%s: %v", path, err)
	}
}

// replace gives one file what another holds.
func replace(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(to, content, 0o600))
}

// TestCredentials: each session shows them before it does anything, also where the
// server demands that of its first request.
func TestCredentials(t *testing.T) {
	server := zktest.Start(t, zktest.WithProperty("enforce.auth.enabled", "true"), zktest.WithProperty("enforce.auth.schemes", "digest"))
	d := patient(server.Addr())
	d.Credentials = credential("zkine:secret")
	d.ACL = zk.AuthACL(zk.PermAll)
	_, err := session(t, d).Multi(t.Context(), zkclient.CreateOp("/mine", []byte("x")))
	require.NoError(t, err)
	_, _, err = session(t, d).Get(t.Context(), "/mine")
	require.NoError(t, err, "in another session")

	stranger := patient(server.Addr())
	stranger.Credentials = credential("zkine:wrong")
	_, _, err = session(t, stranger).Get(t.Context(), "/mine")
	require.ErrorIs(t, err, zk.ErrNoAuth)
}

// TestACredentialIsNeverForgotten: the Go client alone forgets what it could not
// show at once, and the session that comes up later creates open znodes. Here the
// connection ends just before the server hears of the credential, or just before
// it answers.
func TestACredentialIsNeverForgotten(t *testing.T) {
	server := zktest.Shared(t)
	root := zktest.Root(t)
	_, err := session(t, patient(server.Addr())).Multi(t.Context(), zkclient.CreateOp(root, nil))
	require.NoError(t, err)
	plain, _, err := zk.Connect([]string{server.Addr()}, longTimeout, zk.WithLogInfo(false))
	require.NoError(t, err)
	defer plain.Close()
	for name, lose := range map[string]func(*zktest.Proxy, int32) *zktest.Trap{
		"request": (*zktest.Proxy).LoseRequest, "reply": (*zktest.Proxy).LoseReply,
	} {
		t.Run(name, func(t *testing.T) {
			proxy := zktest.NewProxy(t, server.Addr())
			d := patient(proxy.Addr())
			d.Credentials = credential("zkine:secret")
			d.ACL = zk.AuthACL(zk.PermAll)
			trap := lose(proxy, zktest.OpSetAuth)
			conn := session(t, d)
			trap.Wait()
			_, err := conn.Multi(t.Context(), zkclient.CreateOp(root+"/"+name, nil))
			require.NoError(t, err)
			acl, _, err := plain.GetACL(root + "/" + name)
			require.ErrorIs(t, err, zk.ErrNoAuth, "%v", acl)
		})
	}
}

// credential is one of scheme digest.
func credential(secret string) func() []identity.Credential {
	return func() []identity.Credential { return []identity.Credential{{Scheme: "digest", Secret: []byte(secret)}} }
}

// TestSASL shows who zkine is by DIGEST-MD5. A server that lets clients go on
// whose password is wrong is no server to have: what they create is not theirs.
func TestSASL(t *testing.T) {
	server := zktest.Start(t, zktest.WithSASL(t, "zkine", "secret"), zktest.WithProperty("allowSaslFailedClients", "true"))
	shown := func(scheme, secret string) *zkclient.Ensemble {
		d := patient(server.Addr())
		d.Credentials = func() []identity.Credential {
			return []identity.Credential{{Scheme: scheme, Secret: []byte(secret)}}
		}
		d.ACL = zk.AuthACL(zk.PermAll)
		return d
	}
	d := shown(identity.SASL, "zkine:secret")
	_, err := session(t, d).Multi(t.Context(), zkclient.CreateOp("/sasl", []byte("x")))
	require.NoError(t, err)
	data, _, err := session(t, d).Get(t.Context(), "/sasl")
	require.NoError(t, err)
	require.Equal(t, "x", string(data))
	_, _, err = session(t, shown(identity.Digest, "zkine:secret")).Get(t.Context(), "/sasl")
	require.ErrorIs(t, err, zk.ErrNoAuth)
	requireReason(t, shown(identity.SASL, "zkine:wrong"), `(?s)ZooKeeper does not accept a credential of scheme sasl.*see --zookeeper-auth-file`)
}

// TestNamesInCertificates: ZooKeeper writes a subject in its own way, and an ACL
// that has it in another way matches no client. What the creator's ACL says comes
// from the server.
func TestNamesInCertificates(t *testing.T) {
	authority := zktest.NewAuthority(t)
	server := zktest.Start(t, zktest.WithTLS(t, authority))
	domain := asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 25}
	email := asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}
	for name, subject := range map[string]pkix.Name{
		"plain":     shop("zkine, and more"),
		"domain":    {CommonName: "zkine", ExtraNames: []pkix.AttributeTypeAndValue{{Type: domain, Value: "shop"}, {Type: domain, Value: "example"}}},
		"email":     {CommonName: "zkine", ExtraNames: []pkix.AttributeTypeAndValue{{Type: email, Value: "zkine@shop.example"}}},
		"serial":    {CommonName: "zkine", SerialNumber: "17"},
		"non-ascii": {CommonName: "zkïne", Organization: []string{`quoted "shop"; <here>`}},
	} {
		t.Run(name, func(t *testing.T) {
			d := securely(t, filesOf(authority, zktest.Issue(t, authority, subject)), server.SecureAddr())
			d.ACL = zk.AuthACL(zk.PermAll)
			path := "/" + name
			_, err := session(t, d).Multi(t.Context(), zkclient.CreateOp(path, []byte("x")))
			require.NoError(t, err)
			_, _, err = session(t, d).Get(t.Context(), path)
			require.NoError(t, err, "another session of the same certificate")
			_, _, err = session(t, patient(server.Addr())).Get(t.Context(), path)
			require.ErrorIs(t, err, zk.ErrNoAuth)
		})
	}
}
