package zkacl

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

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
	separator  = ";"
	maxEntries = 64
	example    = "write it like creator, or digest:zkine:hash:cdrwa;world:anyone:r"
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
	entries := strings.Split(text, separator)
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

// checkName refuses names of certificates that are not as ZooKeeper writes them
// (RFC 2253): it compares text.
func checkName(a zk.ACL, wrong func(what, remedy string) error) error {
	for part := range strings.SplitSeq(a.ID, ",") {
		kind, _, found := strings.Cut(part, "=")
		if !found && part == a.ID || kind == "" {
			return wrong("it is no name of a certificate", "write it like x509:CN=zkine,O=Shop,C=DE")
		}
		if found && strings.TrimSpace(kind) != kind {
			return wrong("it has a space beside a comma, and would match no client", "leave the space out")
		}
		if found && strings.ToUpper(kind) != kind && !strings.ContainsAny(kind, "0123456789.\\\"+") {
			return wrong(fmt.Sprintf("%q is not in capitals, and would match no client", kind), "write "+strings.ToUpper(kind))
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
	return strings.Join(entries, separator)
}
