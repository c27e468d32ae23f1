package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"github.com/zkine/zkine/server/listener"
)

// startTLS runs a server on https:// only, for clients and metrics.
func startTLS(t *testing.T, files listener.TLS, edit ...func(*Config)) *running {
	t.Helper()
	r := start(t, func(c *Config) {
		listener.CloseAll(c.Listeners)
		listener.CloseAll(c.MetricsListeners)
		var err error
		c.Listeners, err = listener.Listen([]string{"https://127.0.0.1:0"})
		require.NoError(t, err)
		c.MetricsListeners, err = listener.ListenMetrics([]string{"https://127.0.0.1:0"})
		require.NoError(t, err)
		c.TLS = files
		for _, e := range edit {
			e(c)
		}
	})
	r.accepting(t)
	r.addr = r.cfg.Listeners[0].Addr().String()
	r.metrics = listener.BoundURL(r.cfg.MetricsListeners[0])
	return r
}

func clientTLS(a *authority, certs ...tls.Certificate) *tls.Config {
	return &tls.Config{RootCAs: a.pool(), Certificates: certs}
}

func dialTLS(t *testing.T, addr string, config *tls.Config) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+addr, grpc.WithTransportCredentials(credentials.NewTLS(config)))
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	return conn
}

func rangeOver(t *testing.T, conn *grpc.ClientConn) error {
	_, err := pb.NewKVClient(conn).Range(ctxFor(t), &pb.RangeRequest{Key: []byte("k")})
	return err
}

func httpsClient(t *testing.T, config *tls.Config, http2 bool) *http.Client {
	transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: http2}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func getBody(t *testing.T, c *http.Client, url string) (proto int, body string) {
	t.Helper()
	resp, err := c.Get(url)
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.ProtoMajor, string(text)
}

// One port serves gRPC and HTTP of every kind that a client may offer.
func TestTLSServesEverything(t *testing.T) {
	a := newAuthority(t)
	r := startTLS(t, newTLSFiles(t, a.sign("server")).TLS)
	url := "https://" + r.addr

	require.NoError(t, rangeOver(t, dialTLS(t, r.addr, clientTLS(a))))
	both := clientTLS(a)
	both.NextProtos = []string{"h2", "http/1.1"} // as Envoy or HAProxy may
	require.NoError(t, rangeOver(t, dialTLS(t, r.addr, both)))

	for proto, c := range map[int]*http.Client{1: httpsClient(t, clientTLS(a), false), 2: httpsClient(t, clientTLS(a), true)} {
		got, body := getBody(t, c, url+"/health")
		require.Equal(t, proto, got)
		require.Equal(t, healthy, body)
		resp, err := c.Post(url+"/v3/kv/range", "application/json", strings.NewReader(`{"key":"aw=="}`))
		require.NoError(t, err)
		resp.Body.Close()
		require.Equal(t, 200, resp.StatusCode)
	}
	noALPN, err := tls.Dial("tcp", r.addr, clientTLS(a))
	require.NoError(t, err)
	defer noALPN.Close()
	_, err = io.WriteString(noALPN, "GET /version HTTP/1.0\r\n\r\n")
	require.NoError(t, err)
	text, err := io.ReadAll(noALPN)
	require.NoError(t, err)
	require.Contains(t, string(text), `"etcdserver":"3.7.3"`)

	_, body := getBody(t, httpsClient(t, clientTLS(a), true), r.metrics+"/livez")
	require.Equal(t, "ok\n", body)
}

// Who has no certificate of the right authority is turned away, and the log
// says so.
func TestTLSClientCertificates(t *testing.T) {
	a, other := newAuthority(t), newAuthority(t)
	files := newTLSFiles(t, a.sign("server"))
	files.trust(a)
	r := startTLS(t, files.TLS)
	require.NoError(t, rangeOver(t, dialTLS(t, r.addr, clientTLS(a, a.sign("client")))))
	_, body := getBody(t, httpsClient(t, clientTLS(a, a.sign("client")), true), "https://"+r.addr+"/health")
	require.Equal(t, healthy, body)

	require.Error(t, rangeOver(t, dialTLS(t, r.addr, clientTLS(a))))
	require.Error(t, rangeOver(t, dialTLS(t, r.addr, clientTLS(a, other.sign("client")))))
	require.Error(t, rangeOver(t, dialTLS(t, r.addr, clientTLS(other, a.sign("client")))), "the client does not know the server's CA")
	_, err := httpsClient(t, clientTLS(a), false).Get(r.metrics + "/livez")
	require.Error(t, err)
	// A client may have given up before the server has noted why.
	for _, reason := range []string{"tls: client didn't provide a certificate", "remote error: tls: bad certificate"} {
		require.Eventually(t, func() bool { return strings.Contains(handshakeFailures(t, r), reason) }, 30*time.Second, 5*time.Millisecond, reason)
	}
}

// handshakeFailures is why TLS handshakes failed so far, a line each.
func handshakeFailures(t *testing.T, r *running) string {
	var reasons []string
	for _, e := range r.logged(logrus.WarnLevel) {
		if e.Message == "a TLS handshake failed" {
			reasons = append(reasons, e.Data["error"].(error).Error())
			require.NotEmpty(t, e.Data["client"])
		}
	}
	return strings.Join(reasons, "\n")
}

// Replaced files count for new connections, and for them only; what cannot be
// used does not.
func TestTLSFilesAreReadAgain(t *testing.T) {
	a := newAuthority(t)
	files := newTLSFiles(t, a.sign("first"))
	r := startTLS(t, files.TLS)
	old := dialTLS(t, r.addr, clientTLS(a))
	require.NoError(t, rangeOver(t, old))
	require.Equal(t, "first", served(t, r.addr, clientTLS(a)))

	files.replace(a.sign("second"))
	require.Equal(t, "second", served(t, r.addr, clientTLS(a)))
	require.NoError(t, rangeOver(t, old))

	files.write("cert", "CERTIFICATE", a.sign("third").Certificate[0]) // the key is to follow
	for range 3 {
		require.Equal(t, "second", served(t, r.addr, clientTLS(a)))
	}
	complaints := r.logged(logrus.ErrorLevel)
	require.Len(t, complaints, 1)
	require.Contains(t, complaints[0].Data["error"].(error).Error(), files.CertFile)
	require.NoError(t, os.Remove(files.KeyFile))
	require.Equal(t, "second", served(t, r.addr, clientTLS(a)))

	files.replace(a.sign("fourth"))
	require.Equal(t, "fourth", served(t, r.addr, clientTLS(a)))
}

// served is the name in the certificate that a new connection is shown.
func served(t *testing.T, addr string, config *tls.Config) string {
	t.Helper()
	conn, err := tls.Dial("tcp", addr, config)
	require.NoError(t, err)
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].Subject.CommonName
}

func TestTLSTrustIsReadAgain(t *testing.T) {
	a, b := newAuthority(t), newAuthority(t)
	mine, yours := a.sign("mine"), b.sign("yours")
	files := newTLSFiles(t, a.sign("server"))
	files.trust(a)
	files.ClientCRLFile = files.write("crl", "X509 CRL", a.revoke())
	r := startTLS(t, files.TLS)
	require.NoError(t, rangeOver(t, dialTLS(t, r.addr, clientTLS(a, mine))))
	require.Error(t, rangeOver(t, dialTLS(t, r.addr, clientTLS(a, yours))))

	require.NoError(t, os.WriteFile(files.ClientCRLFile, a.revoke(mine), 0o600)) // DER
	require.Error(t, rangeOver(t, dialTLS(t, r.addr, clientTLS(a, mine))))
	files.write("crl", "X509 CRL", a.revoke())
	require.NoError(t, rangeOver(t, dialTLS(t, r.addr, clientTLS(a, mine))))

	files.trust(b)
	require.Error(t, rangeOver(t, dialTLS(t, r.addr, clientTLS(a, mine))))
	require.NoError(t, rangeOver(t, dialTLS(t, r.addr, clientTLS(a, yours))))
}

func TestTLSVersionsAndSuites(t *testing.T) {
	a := newAuthority(t)
	files := newTLSFiles(t, a.sign("server"))
	files.MaxVersion, files.CipherSuites = "TLS1.2", []string{"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305"}
	r := startTLS(t, files.TLS)
	conn, err := tls.Dial("tcp", r.addr, clientTLS(a))
	require.NoError(t, err)
	defer conn.Close()
	require.Equal(t, uint16(tls.VersionTLS12), conn.ConnectionState().Version)
	require.Contains(t, []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256}, conn.ConnectionState().CipherSuite)
	require.NoError(t, rangeOver(t, dialTLS(t, r.addr, clientTLS(a))))
	strict := clientTLS(a)
	strict.MinVersion = tls.VersionTLS13
	require.Error(t, rangeOver(t, dialTLS(t, r.addr, strict)))
}

// Errors name the file and the flag.
func TestTLSRefuses(t *testing.T) {
	a := newAuthority(t)
	files := newTLSFiles(t, a.sign("server"))
	nothing := filepath.Join(files.dir, "nothing")
	good := files.TLS
	for _, c := range []struct {
		edit func(*listener.TLS)
		text string
	}{
		{func(f *listener.TLS) { *f = listener.TLS{} }, "a https:// or unixs:// URL needs a certificate and its key; set --cert-file and --key-file"},
		{func(f *listener.TLS) { f.KeyFile = "" }, "a https:// or unixs:// URL needs a certificate and its key; set --cert-file and --key-file"},
		{func(f *listener.TLS) { f.CertFile = nothing }, "certificate " + nothing + " with key " + files.KeyFile + ": open " + nothing + ": no such file or directory; see --cert-file and --key-file"},
		{func(f *listener.TLS) { f.KeyFile = f.CertFile }, "certificate " + files.CertFile + " with key " + files.CertFile + ": tls: found a certificate rather than a key in the PEM for the private key; see --cert-file and --key-file"},
		{func(f *listener.TLS) { f.TrustedCAFile = nothing }, "CA file " + nothing + ": open " + nothing + ": no such file or directory; see --trusted-ca-file"},
		{func(f *listener.TLS) { f.TrustedCAFile = f.KeyFile }, "CA file " + files.KeyFile + ": it holds no PEM certificate; see --trusted-ca-file"},
		{func(f *listener.TLS) { f.ClientCRLFile = nothing }, "revocation list " + nothing + ": open " + nothing + ": no such file or directory; see --client-crl-file"},
		{func(f *listener.TLS) { f.MinVersion = "1.1" }, `TLS version "1.1" is not known; set --tls-min-version to TLS1.2 or TLS1.3`},
		{func(f *listener.TLS) { f.MaxVersion = "TLS2" }, `TLS version "TLS2" is not known; set --tls-max-version to TLS1.2 or TLS1.3`},
		{func(f *listener.TLS) { f.MinVersion, f.MaxVersion = "TLS1.3", "TLS1.2" }, "--tls-max-version is below --tls-min-version; make them TLS1.2 and TLS1.3, or equal"},
		{func(f *listener.TLS) {
			f.MinVersion, f.CipherSuites = "TLS1.3", []string{"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"}
		}, "--cipher-suites do not apply to TLS1.3, which alone is allowed; leave them out"},
	} {
		files := good
		c.edit(&files)
		_, err := New(Config{ClientURLs: []string{"https://127.0.0.1:0"}, TLS: files})
		require.EqualError(t, err, c.text)
	}
	good.CipherSuites = []string{"TLS_BEST"}
	_, err := New(Config{ClientURLs: []string{"http://127.0.0.1:0"}, MetricsURLs: []string{"unixs://x"}, TLS: good})
	require.ErrorContains(t, err, `TLS cipher suite "TLS_BEST" is not known; set --cipher-suites to some of TLS_`)
}

// A certificate's name reaches the handler on every way that etcd knows, and
// no client can make one up.
func TestCommonName(t *testing.T) {
	a := newAuthority(t)
	files := newTLSFiles(t, a.sign("server"))
	files.trust(a)
	r := startTLS(t, files.TLS)
	var name string
	r.backend.SetAnswer(func(ctx context.Context, _ any) (any, error) {
		name = commonName(ctx)
		return nil, status.Error(42, "enough")
	})
	config := clientTLS(a, a.sign("alice"))
	forged := func() context.Context {
		return metadataOf(ctxFor(t), commonNameKey, "root")
	}
	see := func(want string, ask func()) {
		t.Helper()
		name = "nobody asked"
		ask()
		require.Equal(t, want, name)
	}
	conn := dialTLS(t, r.addr, config)
	both := config.Clone()
	both.NextProtos = []string{"h2", "http/1.1"}
	for _, conn := range []*grpc.ClientConn{conn, dialTLS(t, r.addr, both)} {
		see("alice", func() { pb.NewKVClient(conn).Range(forged(), &pb.RangeRequest{Key: []byte("k")}) }) //nolint:errcheck // who asked is looked at
		see("alice", func() { unlock(forged(), conn) })                                                   //nolint:errcheck // likewise
	}
	ask := func(path string) {
		req, err := http.NewRequest("POST", "https://"+r.addr+path, strings.NewReader(`{"key":"aw=="}`))
		require.NoError(t, err)
		req.Header.Set("Grpc-Metadata-"+commonNameKey, "root")
		resp, err := httpsClient(t, config, false).Do(req)
		require.NoError(t, err)
		resp.Body.Close()
	}
	see("", func() { ask("/v3/kv/range") })
	see("", func() { ask("/v3/lock/unlock") })

	require.Empty(t, certificateName(&tls.ConnectionState{PeerCertificates: []*x509.Certificate{a.cert}}), "not verified")
}
