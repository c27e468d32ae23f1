package zkacl_test

import (
	"math/bits"
	"strings"
	"testing"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision/zkacl"
)

func TestParse(t *testing.T) {
	digest := alice[0].ID
	for text, want := range map[string][]zk.ACL{
		"creator":             zk.AuthACL(zk.PermAll),
		" open ":              zk.WorldACL(zk.PermAll),
		"world:anyone:r":      {{Perms: zk.PermRead, Scheme: "world", ID: "anyone"}},
		"auth::cdrwa":         zk.AuthACL(zk.PermAll),
		"ip:10.0.0.0/8:rw":    {{Perms: zk.PermRead | zk.PermWrite, Scheme: "ip", ID: "10.0.0.0/8"}},
		"sasl:zkine@REALM:c":  {{Perms: zk.PermCreate, Scheme: "sasl", ID: "zkine@REALM"}},
		"x509:CN=zkine,C=DE:": nil,
		"digest:" + digest + ":adcwr; x509:CN=zkine,O=Shop,C=DE:cdrwa ;": {
			{Perms: zk.PermAll, Scheme: "digest", ID: digest}, {Perms: zk.PermAll, Scheme: "x509", ID: "CN=zkine,O=Shop,C=DE"},
		},
		`x509:CN=a\, b\;c+UID=7,1.2.840.113549.1.9.1=#1603:r;world:anyone:r`: {
			{Perms: zk.PermRead, Scheme: "x509", ID: `CN=a\, b\;c+UID=7,1.2.840.113549.1.9.1=#1603`},
			{Perms: zk.PermRead, Scheme: "world", ID: "anyone"},
		},
	} {
		list, err := zkacl.Parse(text)
		if want == nil {
			require.ErrorIs(t, err, zkacl.ErrList, text)
			continue
		}
		require.NoError(t, err, text)
		require.Equal(t, zkacl.List(want), list, text)
	}
}

// TestParseRefuses what ZooKeeper refuses, and what it accepts though it matches
// no client. Each error ends with a remedy behind a semicolon.
func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                                   "it is empty; write it like",
		" ; ":                                "it is empty",
		"everyone":                           `"everyone" is not scheme:id:permissions; write it like`,
		"world:anyone":                       "is not scheme:id:permissions",
		"world:anyone:":                      "has no permissions, which locks out; use letters of cdrwa",
		"world:anyone:rx":                    `"rx" are no permissions; use letters of cdrwa, each once`,
		"world:anyone:rr":                    `"rr" are no permissions`,
		"world:all:r":                        "the world has one id; write world:anyone",
		"auth:zkine:r":                       "auth has no id; write auth::r",
		"digest:zkine:password:cdrwa":        `"zkine" has none; make one with zkine acl digest`,
		"digest:zkine:cdrwa":                 `a digest id is a user and the base64 of a SHA-1`,
		"digest::" + alice[0].ID[6:] + ":r":  `a digest id is a user`,
		"ip:localhost:r":                     "it is no address; write ip:10.0.0.1",
		"ip:10.0.0.0/99:r":                   "it is no address",
		"x509:zkine:r":                       "it is no name of a certificate; write it like x509:CN=zkine",
		"x509:CN=zkine, O=Shop:r":            "it has a space beside a comma, and would match no client; leave the space out",
		"x509:cn=zkine:r":                    `"cn" is not in capitals, and would match no client; write CN`,
		"x509:EMAILADDRESS=a@b:r":            `ZooKeeper writes the attribute "EMAILADDRESS" as a number; use creator`,
		"sasl::r":                            "it names no user; write sasl:user",
		"super:x:r":                          "the scheme is none of ZooKeeper's; use world",
		"sasl:a\nb:r":                        "characters that cannot be printed",
		"sasl:\xff:r":                        "characters that cannot be printed",
		"sasl:a:r;sasl:a:w":                  `"sasl:a" is named twice; give it all its permissions in one entry`,
		strings.Repeat("sasl:a:r;", 64):      "it has more than 64 entries",
		"sasl:" + strings.Repeat("a", 4<<10): "it has more than 4096 bytes, which each request would hold; name fewer ids",
	} {
		_, err := zkacl.Parse(text)
		require.ErrorIs(t, err, zkacl.ErrList, text)
		require.ErrorContains(t, err, want)
		require.Contains(t, err.Error(), "; ", "a remedy")
		require.NotContains(t, err.Error(), "password")
	}
}

// FuzzParse has what is accepted come back from its text.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"creator", "open", "digest:" + alice[0].ID + ":cdrwa;world:anyone:r", `x509:CN=a\;b,O=c:ra`, "ip:::1:r", "auth::a", ";;", "a:b:c"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		list, err := zkacl.Parse(text)
		if err != nil {
			require.ErrorIs(t, err, zkacl.ErrList)
			return
		}
		require.NotEmpty(t, list)
		again, err := zkacl.Parse(list.String())
		require.NoError(t, err)
		require.Equal(t, list, again)
		for _, a := range list {
			require.NotZero(t, a.Perms)
			require.Zero(t, a.Perms&^zk.PermAll)
			require.Len(t, zkacl.Letters(a.Perms), bits.OnesCount32(uint32(a.Perms)))
		}
	})
}

func TestBrief(t *testing.T) {
	list := append(zkacl.List(alice), zk.WorldACL(zk.PermRead)...)
	require.Equal(t, "digest:"+alice[0].ID[:10]+"…:cdrwa;world:anyone:r", list.Brief())
	require.NotContains(t, list.Brief(), alice[0].ID[6:])
}
