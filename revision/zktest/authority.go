package zktest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Authority signs the certificates of a test.
type Authority struct {
	t    testing.TB
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	made int64 // certificates so far
}

// Issued is a certificate with its key, in PEM files. Together has both, the key
// first, as ZooKeeper wants them: PKCS#8, not encrypted.
type Issued struct {
	CertFile, KeyFile, Together string
}

// NewAuthority makes an authority whose files are in a folder of the test's.
func NewAuthority(t testing.TB) *Authority {
	t.Helper()
	a := &Authority{t: t, dir: t.TempDir(), key: newKey(t)}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "zktest authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.write("ca.pem", encode("CERTIFICATE", der))
	return a
}

// CertFile is the authority's own certificate.
func (a *Authority) CertFile() string { return filepath.Join(a.dir, "ca.pem") }

// Issue signs a certificate for servers and clients alike. Hosts are names and
// addresses.
func (a *Authority) Issue(subject pkix.Name, hosts ...string) Issued {
	a.t.Helper()
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

// IssueAs is Issue for a template with a subject, and hosts if it is a server's.
func (a *Authority) IssueAs(template *x509.Certificate) Issued {
	a.t.Helper()
	a.made++
	template.SerialNumber = big.NewInt(1 + a.made)
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
	key := newKey(a.t)
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	name := template.SerialNumber.String()
	cert, secret := encode("CERTIFICATE", der), encode("PRIVATE KEY", pkcs8)
	return Issued{
		CertFile: a.write(name+"-cert.pem", cert),
		KeyFile:  a.write(name+"-key.pem", secret),
		Together: a.write(name+".pem", append(secret, cert...)),
	}
}

func (a *Authority) write(name string, content []byte) string {
	a.t.Helper()
	path := filepath.Join(a.dir, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		a.t.Fatal(err)
	}
	return path
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
