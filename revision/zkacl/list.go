package zkacl

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-zookeeper/zk"
)

// List is an ACL: who may do what with a znode.
type List []zk.ACL

// Words for two lists.
const (
	// Creator gives all permissions to those ids that the session authenticates as, by
	// digest and by certificate, and none to anyone else.
	Creator = "creator"
	// Open gives all permissions to everyone.
	Open = "open"
)

// ErrList says that a text is no ACL.
var ErrList = errors.New("zkacl: not an ACL")

const (
	separator  = ';'
	maxEntries = 64
	// maxText bounds a list as people write it, in bytes: each request that creates a
	// znode holds the list, and so does ZooKeeper's log for each of them.
	maxText = 4 << 10
	example = "write it like creator, or digest:zkine:hash:cdrwa;world:anyone:r"
)

// permissions are ZooKeeper's letters, in the order of zkCli.sh.
var permissions = []struct {
	letter byte
	bit    int32
}{{'c', zk.PermCreate}, {'d', zk.PermDelete}, {'r', zk.PermRead}, {'w', zk.PermWrite}, {'a', zk.PermAdmin}}

// Parse reads a list that a person wrote: Creator, Open, or entries of
// scheme:id:permissions with semicolons between, since the names in certificates
// have commas. ZooKeeper accepts entries that match no client, and so lock everyone
// out; those are refused. Errors: ErrList, with the remedy behind a semicolon.
func Parse(text string) (List, error) {
	switch strings.TrimSpace(text) {
	case Creator:
		return zk.AuthACL(zk.PermAll), nil
	case Open:
		return zk.WorldACL(zk.PermAll), nil
	}
	if len(text) > maxText {
		return nil, fmt.Errorf("%w: it has more than %d bytes, which each request would hold; name fewer ids", ErrList, maxText)
	}
	entries := split(text, separator)
	if len(entries) > maxEntries {
		return nil, fmt.Errorf("%w: it has more than %d entries; %s", ErrList, maxEntries, example)
	}
	var list List
	for _, entry := range entries {
		entry = strings.TrimSpace(entry)
		if entry == "" {
			continue
		}
		one, err := parseEntry(entry)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(list, func(a zk.ACL) bool { return a.Scheme == one.Scheme && a.ID == one.ID }) {
			return nil, fmt.Errorf("%w: %q is named twice; give it all its permissions in one entry", ErrList, one.Scheme+":"+one.ID)
		}
		list = append(list, one)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%w: it is empty; %s", ErrList, example)
	}
	return list, nil
}

// split divides a text at a character. A backslash takes the meaning of the
// character after it, as in names of certificates.
func split(text string, at byte) (entries []string) {
	from := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case at:
			entries, from = append(entries, text[from:i]), i+1
		}
	}
	return append(entries, text[from:])
}

func parseEntry(entry string) (zk.ACL, error) {
	scheme, rest, found := strings.Cut(entry, ":")
	last := strings.LastIndexByte(rest, ':')
	if !found || last < 0 {
		return zk.ACL{}, fmt.Errorf("%w: %q is not scheme:id:permissions; %s", ErrList, entry, example)
	}
	one := zk.ACL{Scheme: scheme, ID: rest[:last]}
	for _, letter := range []byte(rest[last+1:]) {
		bit := int32(0)
		for _, p := range permissions {
			if p.letter == letter {
				bit = p.bit
			}
		}
		if bit == 0 || one.Perms&bit != 0 {
			return zk.ACL{}, fmt.Errorf("%w: %q are no permissions; use letters of cdrwa, each once", ErrList, rest[last+1:])
		}
		one.Perms |= bit
	}
	if one.Perms == 0 {
		return zk.ACL{}, fmt.Errorf("%w: %q has no permissions, which locks out; use letters of cdrwa", ErrList, entry)
	}
	return one, checkID(one)
}

// checkID refuses ids that ZooKeeper accepts, and that match no client.
func checkID(a zk.ACL) error {
	if strings.ContainsFunc(a.ID, func(r rune) bool { return !unicode.IsPrint(r) }) || !utf8.ValidString(a.ID) {
		return fmt.Errorf("%w: an id of scheme %s holds characters that cannot be printed; %s", ErrList, a.Scheme, example)
	}
	wrong := func(what, remedy string) error {
		return fmt.Errorf("%w: %s:%s: %s; %s", ErrList, a.Scheme, a.ID, what, remedy)
	}
	switch a.Scheme {
	case "world":
		if a.ID != "anyone" {
			return wrong("the world has one id", "write world:anyone")
		}
	case "auth":
		if a.ID != "" {
			return wrong("auth has no id", "write auth::"+Letters(a.Perms))
		}
	case "digest":
		user, hash, _ := strings.Cut(a.ID, ":")
		if sum, err := base64.StdEncoding.DecodeString(hash); user == "" || err != nil || len(sum) != 20 {
			return fmt.Errorf("%w: a digest id is a user and the base64 of a SHA-1, and %q has none; make one with zkine acl digest", ErrList, user)
		}
	case "ip":
		if _, err := netip.ParsePrefix(a.ID); err != nil {
			if _, err := netip.ParseAddr(a.ID); err != nil {
				return wrong("it is no address", "write ip:10.0.0.1 or ip:10.0.0.0/8")
			}
		}
	case "x509":
		return checkName(a, wrong)
	case "sasl":
		if a.ID == "" {
			return wrong("it names no user", "write sasl:user")
		}
	default:
		return wrong("the scheme is none of ZooKeeper's", "use world, auth, digest, ip, x509 or sasl")
	}
	return nil
}

// attributes are those of a certificate's name that have words in RFC 2253;
// ZooKeeper writes all others as numbers.
var attributes = []string{"CN", "L", "ST", "O", "OU", "C", "STREET", "DC", "UID"}

// checkName refuses names of certificates that are not as ZooKeeper writes them
// (RFC 2253): it compares text.
func checkName(a zk.ACL, wrong func(what, remedy string) error) error {
	for _, part := range split(a.ID, ',') {
		kind, _, found := strings.Cut(part, "=")
		upper := strings.ToUpper(kind)
		switch {
		case !found || kind == "":
			return wrong("it is no name of a certificate", "write it like x509:CN=zkine,O=Shop,C=DE")
		case strings.TrimSpace(kind) != kind:
			return wrong("it has a space beside a comma, and would match no client", "leave the space out")
		case slices.Contains(attributes, kind) || strings.Trim(kind, "0123456789.") == "":
		case slices.Contains(attributes, upper):
			return wrong(fmt.Sprintf("%q is not in capitals, and would match no client", kind), "write "+upper)
		default:
			return wrong(fmt.Sprintf("ZooKeeper writes the attribute %q as a number", kind), "use creator, and let zkine acl verify print the whole name")
		}
	}
	return nil
}

// Letters are permissions as people write them.
func Letters(perms int32) string {
	var b strings.Builder
	for _, p := range permissions {
		if perms&p.bit != 0 {
			b.WriteByte(p.letter)
		}
	}
	return b.String()
}

// String is the list as Parse reads it.
func (l List) String() string {
	var entries []string
	for _, a := range l {
		entries = append(entries, a.Scheme+":"+a.ID+":"+Letters(a.Perms))
	}
	return strings.Join(entries, string(separator))
}

// Brief is String with the hashes of digest ids cut short, for logs and people:
// they tell an id from others, and no password can be looked for by them.
func (l List) Brief() string {
	var entries []string
	for _, a := range l {
		entries = append(entries, a.Scheme+":"+shortID(a)+":"+Letters(a.Perms))
	}
	return strings.Join(entries, string(separator))
}

func shortID(a zk.ACL) string {
	const shown = 4
	user, hash, found := strings.Cut(a.ID, ":")
	if a.Scheme != "digest" || !found || len(hash) <= shown {
		return a.ID
	}
	return user + ":" + hash[:shown] + "…"
}
