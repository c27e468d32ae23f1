package identity

import (
	"crypto/md5"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// digestMD5 is the client's side of the SASL mechanism DIGEST-MD5 (RFC 2831),
// with qop=auth alone: TLS is what protects the bytes. The mechanism is obsolete
// (RFC 6331), and the only one of ZooKeeper's that needs no Kerberos.
type digestMD5 struct {
	user, password string
	// uri is the service, and the name by which it is known.
	uri string
	// cnonce is the client's random part; new for each exchange.
	cnonce string

	// What the challenge has said.
	realm, nonce string
	utf8         bool
}

// zookeeperURI is what ZooKeeper's clients and servers agree on.
const zookeeperURI = "zookeeper/zk-sasl-md5"

func newDigestMD5(user, password string) *digestMD5 {
	return &digestMD5{user: user, password: password, uri: zookeeperURI, cnonce: rand.Text()}
}

var errChallenge = errors.New("its challenge is none of DIGEST-MD5")

// respond answers the server's challenge.
func (d *digestMD5) respond(challenge []byte) ([]byte, error) {
	said, err := parseDirectives(string(challenge))
	if err != nil {
		return nil, err
	}
	d.nonce, d.realm = said["nonce"], said["realm"]
	d.utf8 = strings.EqualFold(said["charset"], "utf-8")
	qop, given := said["qop"]
	switch {
	case d.nonce == "" || !strings.EqualFold(said["algorithm"], "md5-sess"):
		return nil, errChallenge
	case given && !slices.Contains(splitList(qop), "auth"):
		return nil, fmt.Errorf("it demands the protection %q, and zkine has TLS for that", qop)
	}
	var b strings.Builder
	if d.utf8 {
		b.WriteString("charset=utf-8,")
	}
	fmt.Fprintf(&b, "username=%s,realm=%s,nonce=%s,nc=00000001,cnonce=%s,digest-uri=%s,qop=auth,response=%s",
		quoted(d.user), quoted(d.realm), quoted(d.nonce), quoted(d.cnonce), quoted(d.uri), d.hash("AUTHENTICATE:"))
	return []byte(b.String()), nil
}

// verify says whether the server's last word proves that it knows the password,
// too.
func (d *digestMD5) verify(last []byte) error {
	said, err := parseDirectives(string(last))
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare([]byte(said["rspauth"]), []byte(d.hash(":"))) != 1 {
		return errors.New("it does not prove that it knows the password")
	}
	return nil
}

// hash is the response-value of RFC 2831, 2.1.2.1; method begins A2.
func (d *digestMD5) hash(method string) string {
	secret := md5.Sum([]byte(d.encode(d.user) + ":" + d.encode(d.realm) + ":" + d.encode(d.password)))
	a1 := md5.Sum([]byte(string(secret[:]) + ":" + d.nonce + ":" + d.cnonce))
	a2 := md5.Sum([]byte(method + d.uri))
	sum := md5.Sum([]byte(hex.EncodeToString(a1[:]) + ":" + d.nonce + ":00000001:" + d.cnonce + ":auth:" + hex.EncodeToString(a2[:])))
	return hex.EncodeToString(sum[:])
}

// encode gives the bytes that are hashed: ISO 8859-1 if all characters are of it.
func (d *digestMD5) encode(text string) string {
	latin := make([]byte, 0, len(text))
	for _, r := range text {
		if r > 0xff {
			return text
		}
		latin = append(latin, byte(r))
	}
	return string(latin)
}

func quoted(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}

func splitList(text string) []string {
	parts := strings.Split(text, ",")
	for i := range parts {
		parts[i] = strings.ToLower(strings.TrimSpace(parts[i]))
	}
	return parts
}

// parseDirectives reads name=value pairs with commas between; a value may be in
// quotes. Of a name that comes twice the first counts, as a client may choose
// among realms.
func parseDirectives(text string) (map[string]string, error) {
	found := map[string]string{}
	for text = strings.TrimLeft(text, ", \t"); text != ""; text = strings.TrimLeft(text, ", \t") {
		name, rest, ok := strings.Cut(text, "=")
		if !ok {
			return nil, errChallenge
		}
		var value string
		if strings.HasPrefix(rest, `"`) {
			if value, text, ok = unquote(rest[1:]); !ok {
				return nil, errChallenge
			}
		} else {
			value, text, _ = strings.Cut(rest, ",")
		}
		name = strings.ToLower(strings.TrimSpace(name))
		if _, twice := found[name]; !twice {
			found[name] = strings.TrimSpace(value)
		}
	}
	return found, nil
}

// unquote reads up to the closing quote.
func unquote(text string) (value, rest string, ok bool) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			return b.String(), text[i+1:], true
		case '\\':
			if i++; i == len(text) {
				return "", "", false
			}
		}
		b.WriteByte(text[i])
	}
	return "", "", false
}
