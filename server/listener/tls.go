package listener

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/zkine/zkine/revision/throttle"
)

// TLS is how https:// and unixs:// URLs are served. Each field is etcd's flag of
// the same name, with etcd's meaning. The files are read again when they change.
type TLS struct {
	// CertFile and KeyFile are PEM; the first holds the chain, leaf first.
	CertFile, KeyFile string
	// TrustedCAFile holds the CAs of client certificates. If it is named, or
	// ClientCertAuth is set, each client needs a certificate; without the file
	// one that the system's CAs have signed.
	TrustedCAFile  string
	ClientCertAuth bool
	// ClientCRLFile is a list of revoked client certificates, DER or PEM.
	ClientCRLFile string
	// AllowedHostnames are names or addresses, one of which a client's certificate
	// has to be for; none is any.
	AllowedHostnames []string
	// CipherSuites are Go's names, for TLS 1.2; none is Go's choice.
	CipherSuites []string
	// MinVersion and MaxVersion are TLS1.2 or TLS1.3; "" is 1.2 for the first
	// and the newest for the second.
	MinVersion, MaxVersion string
}

// Given says whether there is a certificate to serve with.
func (t TLS) Given() bool { return t.CertFile != "" || t.KeyFile != "" }

// AsksForCertificates says whether each client needs a certificate.
func (t TLS) AsksForCertificates() bool { return t.TrustedCAFile != "" || t.ClientCertAuth }

// TLSSource has the configuration of new connections, from files that may be
// replaced at any time. What cannot be used is reported, and what was there
// before stays in use: certificate and key are rarely replaced in one step.
type TLSSource struct {
	files TLS
	base  *tls.Config // what no file says
	log   *logrus.Entry

	mu      sync.Mutex
	current *tls.Config
	seen    []fileState
	reports throttle.Lines
}

// fileState is what changes when a file is replaced or written.
type fileState struct {
	info fs.FileInfo
	size int64
	time time.Time
}

// NewTLSSource reads the files of t. Its errors name the flag to change.
func NewTLSSource(t TLS, log *logrus.Entry) (*TLSSource, error) {
	if t.CertFile == "" || t.KeyFile == "" {
		return nil, errors.New("a https:// or unixs:// URL needs a certificate and its key; set --cert-file and --key-file")
	}
	base, err := t.versions()
	if err != nil {
		return nil, err
	}
	s := &TLSSource{files: t, base: base, log: log, reports: throttle.Lines{Period: hintPeriod, MaxKeys: maxHints}}
	s.seen = s.look()
	if s.current, err = s.load(); err != nil {
		return nil, err
	}
	return s, nil
}

// Listen has the connections of a socket speak TLS.
func (s *TLSSource) Listen(socket net.Listener) net.Listener {
	return tls.NewListener(socket, &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		return s.Config(), nil
	}})
}

// Config is for one connection, and shared: it must not be changed. It reads the
// files again if they have changed.
func (s *TLSSource) Config() *tls.Config {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := s.look()
	if same(seen, s.seen) {
		return s.current
	}
	loaded, err := s.load()
	if err != nil {
		if left, ok := s.reports.Allow(err.Error()); ok {
			s.log.WithError(err).Error("the TLS files changed and cannot be used; the ones before stay in use" + left)
		}
		return s.current
	}
	s.current, s.seen = loaded, seen
	s.log.WithField("certificate", s.files.CertFile).Info("the TLS files changed; new connections use them")
	return s.current
}

// Expires is when the certificate ends that new connections are shown; zero if that is
// not known.
func (s *TLSSource) Expires() time.Time {
	certificates := s.Config().Certificates
	if len(certificates) == 0 || certificates[0].Leaf == nil {
		return time.Time{}
	}
	return certificates[0].Leaf.NotAfter
}

// look notes the state of each file, zero for one that is not there.
func (s *TLSSource) look() []fileState {
	var seen []fileState
	for _, name := range []string{s.files.CertFile, s.files.KeyFile, s.files.TrustedCAFile, s.files.ClientCRLFile} {
		var f fileState
		if info, err := os.Stat(name); err == nil {
			f = fileState{info, info.Size(), info.ModTime()}
		}
		seen = append(seen, f)
	}
	return seen
}

func same(a, b []fileState) bool {
	for i := range a {
		if (a[i].info == nil) != (b[i].info == nil) {
			return false
		}
		if a[i].info != nil && (a[i].size != b[i].size || !a[i].time.Equal(b[i].time) || !os.SameFile(a[i].info, b[i].info)) {
			return false
		}
	}
	return true
}

func (s *TLSSource) load() (*tls.Config, error) {
	t, c := s.files, s.base.Clone()
	pair, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("certificate %s with key %s: %w; see --cert-file and --key-file", t.CertFile, t.KeyFile, err)
	}
	c.Certificates = []tls.Certificate{pair}
	if t.AsksForCertificates() {
		c.ClientAuth = tls.RequireAndVerifyClientCert
	}
	if t.TrustedCAFile != "" {
		if c.ClientCAs, err = readCAs(t.TrustedCAFile); err != nil {
			return nil, fmt.Errorf("CA file %s: %w; see --trusted-ca-file", t.TrustedCAFile, err)
		}
	}
	var revoked map[string]bool
	if t.ClientCRLFile != "" {
		revoked, err = readCRL(t.ClientCRLFile)
		if err != nil {
			return nil, fmt.Errorf("revocation list %s: %w; see --client-crl-file", t.ClientCRLFile, err)
		}
	}
	c.VerifyConnection = func(cs tls.ConnectionState) error {
		if err := checkRevoked(revoked, cs.PeerCertificates); err != nil {
			return err
		}
		return checkHostname(t.AllowedHostnames, cs.PeerCertificates)
	}
	return c, nil
}

func readCAs(file string) (*x509.CertPool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, errors.New("it holds no PEM certificate")
	}
	return pool, nil
}

// readCRL returns the serial numbers that a list revokes. As in etcd, neither
// its signature nor its age is looked at: it is the operator's own file.
func readCRL(file string) (map[string]bool, error) {
	der, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if block, _ := pem.Decode(der); block != nil {
		der = block.Bytes
	}
	list, err := x509.ParseRevocationList(der)
	if err != nil {
		return nil, err
	}
	revoked := make(map[string]bool)
	for _, e := range list.RevokedCertificateEntries {
		revoked[e.SerialNumber.String()] = true
	}
	return revoked, nil
}

func checkRevoked(revoked map[string]bool, chain []*x509.Certificate) error {
	for _, c := range chain {
		if revoked[c.SerialNumber.String()] {
			return fmt.Errorf("the client's certificate with serial number %x is revoked", c.SerialNumber)
		}
	}
	return nil
}

// checkHostname refuses a client whose certificate is for none of the names. Without
// names any will do.
func checkHostname(allowed []string, chain []*x509.Certificate) error {
	for _, c := range chain[:min(1, len(chain))] {
		isFor := func(name string) bool { return c.VerifyHostname(name) == nil }
		if len(allowed) > 0 && !slices.ContainsFunc(allowed, isFor) {
			return errors.New("the client's certificate is for no name of --client-cert-allowed-hostname")
		}
	}
	return nil
}

// versions makes the part of the configuration that no file can change.
func (t TLS) versions() (*tls.Config, error) {
	c := &tls.Config{
		NextProtos: []string{"h2", "http/1.1"},
		// A resumed session would keep a certificate alive that a new CA file
		// or revocation list no longer admits. Connections to etcd last.
		SessionTicketsDisabled: true,
	}
	var err error
	if c.MinVersion, err = tlsVersion("--tls-min-version", t.MinVersion, tls.VersionTLS12); err != nil {
		return nil, err
	}
	if c.MaxVersion, err = tlsVersion("--tls-max-version", t.MaxVersion, 0); err != nil {
		return nil, err
	}
	if c.MaxVersion != 0 && c.MaxVersion < c.MinVersion {
		return nil, errors.New("--tls-max-version is below --tls-min-version; make them TLS1.2 and TLS1.3, or equal")
	}
	if len(t.CipherSuites) > 0 && c.MinVersion == tls.VersionTLS13 {
		return nil, errors.New("--cipher-suites do not apply to TLS1.3, which alone is allowed; leave them out")
	}
	for _, name := range t.CipherSuites {
		id, err := cipherSuite(name)
		if err != nil {
			return nil, err
		}
		c.CipherSuites = append(c.CipherSuites, id)
	}
	return c, nil
}

func tlsVersion(flag, name string, unset uint16) (uint16, error) {
	switch name {
	case "":
		return unset, nil
	case "TLS1.2":
		return tls.VersionTLS12, nil
	case "TLS1.3":
		return tls.VersionTLS13, nil
	}
	return 0, fmt.Errorf("TLS version %q is not known; set %s to TLS1.2 or TLS1.3", name, flag)
}

// cipherSuite finds a suite by Go's name, or by the two short ones that etcd
// knows too.
func cipherSuite(name string) (uint16, error) {
	long := name
	if strings.HasSuffix(name, "_WITH_CHACHA20_POLY1305") {
		long += "_SHA256"
	}
	var known []string
	for _, c := range tls.CipherSuites() {
		if c.Name == long {
			return c.ID, nil
		}
		known = append(known, c.Name)
	}
	for _, c := range tls.InsecureCipherSuites() {
		if c.Name == long {
			return c.ID, nil
		}
	}
	return 0, fmt.Errorf("TLS cipher suite %q is not known; set --cipher-suites to some of %s", name, strings.Join(known, ","))
}
