// Package certs makes authorities and certificates for tests and measurements.
//
// It imports nothing but the standard library.
package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"
)

// Authority signs certificates. Several goroutines may use it.
type Authority struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	made atomic.Int64 // certificates so far, its own included
}

// Issued is a certificate with its key, in PEM files. Together has both, the key
// first, as ZooKeeper wants them: PKCS#8, not encrypted.
type Issued struct {
	CertFile, KeyFile, Together string
}

// valid is for how long certificates are valid.
const valid = 24 * time.Hour

// New makes an authority that keeps its files in a folder, which is there.
func New(dir string) (*Authority, error) {
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	a := &Authority{dir: dir, key: key}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(a.made.Add(1)), Subject: pkix.Name{CommonName: "authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(valid),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		return nil, err
	}
	return a, os.WriteFile(a.CertFile(), encode("CERTIFICATE", der), 0o600)
}

// CertFile is the authority's own certificate.
func (a *Authority) CertFile() string { return filepath.Join(a.dir, "ca.pem") }

// ClientConfig is for a client that trusts the authority's servers. Errors: those of
// files that cannot be read.
func (a *Authority) ClientConfig(shown ...Issued) (*tls.Config, error) {
	config := &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
	config.RootCAs.AddCert(a.cert)
	for _, i := range shown {
		pair, err := tls.LoadX509KeyPair(i.CertFile, i.KeyFile)
		if err != nil {
			return nil, err
		}
		config.Certificates = append(config.Certificates, pair)
	}
	return config, nil
}

// Issue signs a certificate for servers and clients alike. Hosts are names and
// addresses.
func (a *Authority) Issue(subject pkix.Name, hosts ...string) (Issued, error) {
	template := &x509.Certificate{Subject: subject}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
			continue
		}
		template.DNSNames = append(template.DNSNames, host)
	}
	return a.IssueAs(template)
}

// IssueAs is Issue for a template with a subject, hosts if it is a server's, and its end
// if that matters.
func (a *Authority) IssueAs(template *x509.Certificate) (Issued, error) {
	template.SerialNumber = big.NewInt(a.made.Add(1))
	template.NotBefore = time.Now().Add(-time.Hour)
	if template.NotAfter.IsZero() {
		template.NotAfter = time.Now().Add(valid)
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
	key, err := newKey()
	if err != nil {
		return Issued{}, err
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		return Issued{}, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Issued{}, err
	}
	name := filepath.Join(a.dir, template.SerialNumber.String())
	i := Issued{CertFile: name + "-cert.pem", KeyFile: name + "-key.pem", Together: name + ".pem"}
	cert, secret := encode("CERTIFICATE", der), encode("PRIVATE KEY", pkcs8)
	for file, content := range map[string][]byte{i.CertFile: cert, i.KeyFile: secret, i.Together: append(secret, cert...)} {
		if err := os.WriteFile(file, content, 0o600); err != nil {
			return Issued{}, err
		}
	}
	return i, nil
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func newKey() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }
