package listener

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	"go.uber.org/zap"
)

// renewBefore is how long a certificate that signs itself has to be valid still, so
// that a start uses it again.
const renewBefore = 30 * 24 * time.Hour

// OwnCert is a certificate that signs itself.
type OwnCert struct {
	CertFile, KeyFile string
	// Until is when it stops being valid.
	Until time.Time
}

// SelfSigned has a certificate that signs itself and is for all
// hosts, names or addresses, and of its key. If those in dir are not, or soon not
// valid any more, new ones take their place, for so many years. As in etcd, a client
// has to be given the certificate as its CA, or not to check it.
func SelfSigned(dir string, hosts []string, years uint) (OwnCert, error) {
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	if until, ok := usable(certFile, keyFile, hosts); ok {
		return OwnCert{certFile, keyFile, until}, nil
	}
	for _, file := range []string{certFile, keyFile} {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return OwnCert{}, fmt.Errorf("the certificate of --auto-tls: %w", err)
		}
	}
	var addresses []string // as etcd takes them, with a port
	for _, host := range hosts {
		addresses = append(addresses, net.JoinHostPort(host, "0"))
	}
	if _, err := transport.SelfCert(zap.NewNop(), dir, addresses, years); err != nil {
		return OwnCert{}, fmt.Errorf("the certificate of --auto-tls: %w", err)
	}
	until, ok := usable(certFile, keyFile, hosts)
	if !ok {
		return OwnCert{}, fmt.Errorf("the certificate of --auto-tls in %s cannot be used", dir)
	}
	return OwnCert{certFile, keyFile, until}, nil
}

// usable says until when a certificate is valid, if it is for all hosts.
func usable(certFile, keyFile string, hosts []string) (until time.Time, ok bool) {
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return time.Time{}, false
	}
	cert, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil || time.Until(cert.NotAfter) < renewBefore {
		return time.Time{}, false
	}
	for _, host := range hosts {
		if cert.VerifyHostname(host) != nil {
			return time.Time{}, false
		}
	}
	return cert.NotAfter, true
}
