package zktest

import (
	"cmp"
	"crypto/tls"
	"crypto/x509/pkix"
	"net"
	"strconv"
	"testing"

	"github.com/zkine/zkine/revision/embedded"
	"github.com/zkine/zkine/revision/zktest/certs"
)

const secureClientPort = "secureClientPort"

// Secure are the lines of zoo.cfg by which a server serves TLS on a port, too,
// and demands a certificate of each client there.
func Secure(host string, port int, own certs.Issued, a *certs.Authority) map[string]string {
	return map[string]string{
		secureClientPort:          strconv.Itoa(port),
		"secureClientPortAddress": host,
		"serverCnxnFactory":       "org.apache.zookeeper.server.NettyServerCnxnFactory",
		"ssl.keyStore.location":   own.Together,
		"ssl.trustStore.location": a.CertFile(),
		"ssl.enabledProtocols":    "TLSv1.3,TLSv1.2",
	}
}

// NewAuthority makes an authority whose files are in a folder of the test's.
func NewAuthority(t testing.TB) *certs.Authority {
	t.Helper()
	a, err := certs.New(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Issue signs a certificate; see certs.Authority.
func Issue(t testing.TB, a *certs.Authority, subject pkix.Name, hosts ...string) certs.Issued {
	t.Helper()
	issued, err := a.Issue(subject, hosts...)
	if err != nil {
		t.Fatal(err)
	}
	return issued
}

// ClientConfig is the configuration of a client that shows a certificate, or none; see
// certs.Authority.
func ClientConfig(t testing.TB, a *certs.Authority, shown ...certs.Issued) *tls.Config {
	t.Helper()
	config, err := a.ClientConfig(shown...)
	if err != nil {
		t.Fatal(err)
	}
	return config
}

// WithTLS has a server serve TLS on a port of its own as well; see SecureAddr. Its
// certificate is for the loopback address and for localhost.
func WithTLS(t testing.TB, a *certs.Authority) Option {
	t.Helper()
	own := Issue(t, a, pkix.Name{CommonName: "zookeeper"}, "127.0.0.1", "localhost")
	return func(c *embedded.Config) {
		for key, value := range Secure(cmp.Or(c.Host, "127.0.0.1"), freePort(t), own, a) {
			c.Properties[key] = value
		}
	}
}

// SecureAddr is where the server serves TLS.
func (s *Server) SecureAddr() string {
	s.t.Helper()
	port := s.cfg.Properties[secureClientPort]
	if port == "" {
		s.t.Fatal("zktest: this ZooKeeper has no TLS; start it WithTLS")
	}
	return net.JoinHostPort(cmp.Or(s.cfg.Host, "127.0.0.1"), port)
}

// SecureAddrs are the addresses at which all servers serve TLS.
func (e *Ensemble) SecureAddrs() []string {
	e.t.Helper()
	var addrs []string
	for _, s := range e.Servers {
		addrs = append(addrs, s.SecureAddr())
	}
	return addrs
}
