package identity

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// Caller speaks ZooKeeper's protocol on a session that is not in use yet. Call
// sends a request, whose body is what follows xid and opcode, and returns the
// reply's body, which belongs to the caller, and the server's code, 0 for
// success.
type Caller interface {
	Call(xid, opcode int32, body []byte) (reply []byte, code int32, err error)
}

// ID is one identity that ZooKeeper knows a session by.
type ID struct {
	// Scheme is ip, digest, x509 or sasl.
	Scheme string
	// Name is as an ACL has it, but for digest, where it is the user alone.
	Name string
}

// ErrRefused says that the server does not accept a credential.
var ErrRefused = errors.New("identity: ZooKeeper does not accept a credential")

// ErrDemanded says that the server demands a credential of another scheme than those
// that it was shown.
var ErrDemanded = errors.New("identity: ZooKeeper demands authentication by another scheme than zkine has shown")

// Of ZooKeeper's protocol: ZooDefs.OpCode, KeeperException.Code, and the xid that
// belongs to authentication.
const (
	opSetAuth int32 = 100
	opSASL    int32 = 102
	opWhoAmI  int32 = 107

	codeUnimplemented int32 = -6
	codeDemands       int32 = -124 // SESSIONCLOSEDREQUIRESASLAUTH

	xidAuth int32 = -4
	xidCall int32 = 1
)

// Show shows the credentials, in their order. Errors: ErrRefused, and those of
// Call.
func Show(c Caller, credentials []Credential) error {
	for _, one := range credentials {
		show := showDigest
		if one.Scheme == SASL {
			show = showSASL
		}
		if err := show(c, one); err != nil {
			return err
		}
	}
	return nil
}

func showDigest(c Caller, one Credential) error {
	body := appendInt(nil, 0) // the type, of which there is one
	body = appendBytes(body, []byte(one.Scheme))
	body = appendBytes(body, one.Secret)
	_, code, err := c.Call(xidAuth, opSetAuth, body)
	if err == nil && code != 0 {
		err = refused(one, code)
	}
	return err
}

// showSASL goes through DIGEST-MD5: the server sends a challenge to an empty
// token, and at last the proof that it knows the password as well. A server that
// lets clients go on whose password is wrong sends none.
func showSASL(c Caller, one Credential) error {
	user, password, _ := strings.Cut(string(one.Secret), ":")
	mechanism := newDigestMD5(user, password)
	challenge, err := sendToken(c, one, nil)
	if err != nil {
		return err
	}
	if len(challenge) == 0 {
		return fmt.Errorf("%w of scheme %s: it has no such mechanism, which ZooKeeper 3.9 and newer have with fips-mode=false alone", ErrRefused, one.Scheme)
	}
	response, err := mechanism.respond(challenge)
	if err != nil {
		return fmt.Errorf("%w of scheme %s: %w", ErrRefused, one.Scheme, err)
	}
	last, err := sendToken(c, one, response)
	if err != nil {
		return err
	}
	if err := mechanism.verify(last); err != nil {
		return fmt.Errorf("%w of scheme %s: %w", ErrRefused, one.Scheme, err)
	}
	return nil
}

func sendToken(c Caller, one Credential, token []byte) ([]byte, error) {
	reply, code, err := c.Call(xidCall, opSASL, appendBytes(nil, token))
	if err != nil {
		return nil, err
	}
	if code != 0 {
		return nil, refused(one, code)
	}
	token, _, ok := cutBytes(reply)
	if !ok {
		return nil, fmt.Errorf("%w of scheme %s: its answer has no token", ErrRefused, one.Scheme)
	}
	return token, nil
}

func refused(one Credential, code int32) error {
	return fmt.Errorf("%w of scheme %s (code %d)", ErrRefused, one.Scheme, code)
}

// maxIDs bounds what a server says of a session.
const maxIDs = 256

// WhoAmI asks by what ZooKeeper knows the session; nil if the server is older
// than 3.7, and does not tell. Errors: ErrDemanded, those of Call, and that the answer cannot
// be read.
func WhoAmI(c Caller) ([]ID, error) {
	reply, code, err := c.Call(xidCall, opWhoAmI, nil)
	if err != nil || code == codeUnimplemented {
		return nil, err
	}
	if code == codeDemands {
		return nil, ErrDemanded
	}
	if code != 0 || len(reply) < 4 {
		return nil, fmt.Errorf("identity: ZooKeeper does not say whom it sees (code %d)", code)
	}
	n := int32(binary.BigEndian.Uint32(reply))
	if n < 0 || n > maxIDs {
		return nil, fmt.Errorf("identity: ZooKeeper sees %d identities in one session", n)
	}
	ids, reply := make([]ID, n), reply[4:]
	for i := range ids {
		var scheme, name []byte
		var ok bool
		if scheme, reply, ok = cutBytes(reply); ok {
			name, reply, ok = cutBytes(reply)
		}
		if !ok {
			return nil, errors.New("identity: ZooKeeper's answer to whoami is cut off")
		}
		ids[i] = ID{string(scheme), string(name)}
	}
	return ids, nil
}

func appendInt(to []byte, n int32) []byte { return binary.BigEndian.AppendUint32(to, uint32(n)) }

// appendBytes writes a buffer as ZooKeeper has it, behind its length.
func appendBytes(to, data []byte) []byte {
	return append(appendInt(to, int32(len(data))), data...)
}

// cutBytes reads such a buffer; one of length -1 is nil.
func cutBytes(from []byte) (data, rest []byte, ok bool) {
	if len(from) < 4 {
		return nil, nil, false
	}
	n, from := int(int32(binary.BigEndian.Uint32(from))), from[4:]
	if n == -1 {
		return nil, from, true
	}
	if n < 0 || n > len(from) {
		return nil, nil, false
	}
	return from[:n], from[n:], true
}
