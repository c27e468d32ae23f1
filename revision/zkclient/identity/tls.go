package identity

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/sirupsen/logrus"
)

// Files are what TLS towards ZooKeeper needs. Connections are secured as soon as
// one of the fields is set.
type Files struct {
	// CertFile and KeyFile are the client's certificate with its chain, leaf
	// first, and its key, both PEM; none for a server that does not ask for one.
	CertFile, KeyFile string
	// TrustedCAFile holds the authorities of the servers' certificates, PEM; ""
	// means the system's.
	TrustedCAFile string
	// ServerName is the name in the servers' certificates; "" means the name, or
	// the address, that each server was configured by.
	ServerName string
}

// Given says whether connections are to be secured.
func (f Files) Given() bool { return f != Files{} }

// ErrFiles says that the files for TLS towards ZooKeeper cannot be used.
var ErrFiles = errors.New("identity: the files for TLS towards ZooKeeper cannot be used")

// maxPEM bounds a PEM file, in bytes: all authorities of a system are a quarter of a
// MiB.
const maxPEM = 4 << 20

// TLS has the configuration of new connections.
type TLS struct {
	files Files
	held  *kept[*tls.Config] // without the server's name
}

// NewTLS reads the files. Errors: ErrFiles, which name the flag to change.
func NewTLS(files Files, log *logrus.Entry) (*TLS, error) {
	held, err := keep(files.load, "the TLS files towards ZooKeeper changed and cannot be used; the ones before stay in use", log)
	if err != nil {
		return nil, err
	}
	return &TLS{files, held}, nil
}

// Config is for one connection to a server that was configured by host, a name
// or an address. It belongs to the caller.
func (t *TLS) Config(host string) *tls.Config {
	config := t.held.now().Clone()
	config.ServerName = t.ServerName(host)
	return config
}

// ServerName is the name by which the certificate is asked for of a server that was
// configured by host.
func (t *TLS) ServerName(host string) string { return cmp.Or(t.files.ServerName, host) }

// Certified says whether servers get to see a certificate.
func (t *TLS) Certified() bool { return t.files.CertFile != "" }

// Expires is when the certificate ends that servers get to see; zero if they get none.
func (t *TLS) Expires() time.Time {
	certificates := t.held.now().Certificates
	if len(certificates) == 0 || certificates[0].Leaf == nil {
		return time.Time{}
	}
	return certificates[0].Leaf.NotAfter
}

// load reads the files.
func (f Files) load() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	switch {
	case f.CertFile != "" && f.KeyFile == "":
		return nil, fmt.Errorf("%w: there is no key to the certificate %s; name its PEM file with --zookeeper-key-file", ErrFiles, f.CertFile)
	case f.KeyFile != "" && f.CertFile == "":
		return nil, fmt.Errorf("%w: there is no certificate to the key %s; name its PEM file with --zookeeper-cert-file", ErrFiles, f.KeyFile)
	case f.CertFile != "":
		pair, err := f.pair()
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	if f.TrustedCAFile == "" {
		return config, nil
	}
	text, err := readPEM(f.TrustedCAFile)
	if err != nil {
		return nil, fmt.Errorf("%w: %w; --zookeeper-trusted-ca-file names the authorities of ZooKeeper's certificates", ErrFiles, err)
	}
	config.RootCAs = x509.NewCertPool()
	if !config.RootCAs.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%w: %s holds no certificate in PEM; --zookeeper-trusted-ca-file names the authorities of ZooKeeper's certificates", ErrFiles, f.TrustedCAFile)
	}
	return config, nil
}

func (f Files) pair() (tls.Certificate, error) {
	const remedy = "--zookeeper-cert-file and --zookeeper-key-file name PEM files that belong together"
	cert, err := readPEM(f.CertFile)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("%w: %w; %s", ErrFiles, err, remedy)
	}
	key, err := readPEM(f.KeyFile)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("%w: %w; %s", ErrFiles, err, remedy)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("%w: %s and %s: %w; %s", ErrFiles, f.CertFile, f.KeyFile, err, remedy)
	}
	return pair, nil
}

func readPEM(name string) ([]byte, error) {
	f, err := openFile(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := readBounded(f, maxPEM)
	if errors.Is(err, errTooLarge) {
		return nil, fmt.Errorf("%s has more than %d bytes", name, maxPEM)
	}
	return text, err
}
