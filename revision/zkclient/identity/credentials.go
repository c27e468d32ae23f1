package identity

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Credential is what a session shows to ZooKeeper to be known by.
type Credential struct {
	// Scheme is Digest or SASL.
	Scheme string
	// Secret is user:password. It belongs to the credential.
	Secret []byte
}

// Schemes of credentials, as ACLs have them. SASL is its mechanism DIGEST-MD5.
const (
	Digest = "digest"
	SASL   = "sasl"
)

// String tells nothing of the secret, so that no log and no error does.
func (c Credential) String() string { return c.Scheme + ":***" }

// GoString is String, for %#v.
func (c Credential) GoString() string { return c.String() }

// ErrCredentials says that an auth file cannot be used.
var ErrCredentials = errors.New("identity: the auth file cannot be used")

const (
	// maxFile bounds an auth file, in bytes.
	maxFile = 64 << 10
	// maxCredentials bounds the lines of an auth file that are none of its
	// comments: each is a request at the start of each session.
	maxCredentials = 16
)

// byteOrderMark is what some editors put before UTF-8.
var byteOrderMark = []byte("\xef\xbb\xbf")

// ReadCredentials reads an auth file: a line for each credential,
// scheme:credential, as ZooKeeper's own clients take them. Empty lines, and those
// that begin with #, count for nothing. Errors: ErrCredentials, which name the
// line and never what it holds.
func ReadCredentials(name string) ([]Credential, error) {
	f, err := openFile(name)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCredentials, err)
	}
	defer f.Close()
	return ReadCredentialsFrom(name, f)
}

// ReadCredentialsFrom is ReadCredentials of a file that is open; name is for the
// errors.
func ReadCredentialsFrom(name string, r io.Reader) ([]Credential, error) {
	text, err := readBounded(r, maxFile)
	if errors.Is(err, errTooLarge) {
		return nil, fmt.Errorf("%w: %s has more than %d bytes; it needs a line for each credential, scheme:credential", ErrCredentials, name, maxFile)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCredentials, err)
	}
	return parseCredentials(name, text)
}

func parseCredentials(name string, text []byte) (all []Credential, err error) {
	text = bytes.TrimPrefix(text, byteOrderMark)
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, maxFile+1)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		one, wrong := parseCredential(line)
		if wrong != "" {
			return nil, fmt.Errorf("%w: %s, line %d: %s", ErrCredentials, name, n, wrong)
		}
		if len(all) == maxCredentials {
			return nil, fmt.Errorf("%w: %s has more than %d credentials; leave out those that no ACL names", ErrCredentials, name, maxCredentials)
		}
		all = append(all, one)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%w: %s holds no credential; write a line like digest:user:password", ErrCredentials, name)
	}
	return all, nil
}

// unsupported are schemes of ZooKeeper's that no line can have, and why.
var unsupported = map[string]string{
	"x509":  "a certificate needs no line; name it with --zookeeper-cert-file and --zookeeper-key-file",
	"ip":    "an address needs no line; ZooKeeper sees it",
	"world": "everyone needs no line",
	"auth":  "auth is what an ACL says, and no credential",
	"super": "write the superuser's credential as digest:super:password",

	"gssapi":   noKerberos,
	"kerberos": noKerberos,
	"krb5":     noKerberos,
}

// noKerberos: SASL's GSSAPI needs a Kerberos library, and the one that there is
// for Go has had no release since February 2023.
const noKerberos = "zkine does not speak Kerberos; use a certificate, digest or sasl (DIGEST-MD5)"

// parseCredential returns what is wrong with a line, without what it holds.
func parseCredential(line string) (c Credential, wrong string) {
	const example = "write it like digest:user:password"
	scheme, secret, found := strings.Cut(line, ":")
	if !found {
		return c, "it has no scheme; " + example
	}
	if remedy, known := unsupported[scheme]; known {
		return c, fmt.Sprintf("the scheme %s cannot stand there; %s", scheme, remedy)
	}
	if scheme != Digest && scheme != SASL {
		return c, "its scheme is none that zkine can show; " + example
	}
	user, password, found := strings.Cut(secret, ":")
	if !found || user == "" || password == "" {
		return c, "it is not a user and a password; " + example
	}
	return Credential{Scheme: scheme, Secret: []byte(secret)}, ""
}
