package zktest

import (
	"cmp"
	"crypto/x509/pkix"
	"net"
	"strconv"
	"testing"

	"github.com/zkine/zkine/revision/embedded"
)

const secureClientPort = "secureClientPort"

// WithTLS has a server serve TLS, too, on a port of its own, and demand a
// certificate of each client there; see SecureAddr. Its own certificate is for
// the loopback address and for localhost.
func WithTLS(t testing.TB, a *Authority) Option {
	t.Helper()
	own := a.Issue(pkix.Name{CommonName: "zookeeper"}, "127.0.0.1", "localhost")
	return func(c *embedded.Config) {
		c.Properties[secureClientPort] = strconv.Itoa(freePort(t))
		c.Properties["secureClientPortAddress"] = cmp.Or(c.Host, "127.0.0.1")
		c.Properties["serverCnxnFactory"] = "org.apache.zookeeper.server.NettyServerCnxnFactory"
		c.Properties["ssl.keyStore.location"] = own.Together
		c.Properties["ssl.trustStore.location"] = a.CertFile()
		c.Properties["ssl.enabledProtocols"] = "TLSv1.3,TLSv1.2"
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
