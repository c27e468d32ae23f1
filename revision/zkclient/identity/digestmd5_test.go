package identity

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestDigestMD5 has the example of RFC 2831, section 4.
func TestDigestMD5(t *testing.T) {
	d := &digestMD5{user: "chris", password: "secret", uri: "imap/elwood.innosoft.com", cnonce: "OA6MHXh6VqTrRk"}
	said, err := d.respond([]byte(`realm="elwood.innosoft.com",nonce="OA6MG9tEQGm2hh",qop="auth",algorithm=md5-sess,charset=utf-8`))
	require.NoError(t, err)
	fields, err := parseDirectives(string(said))
	require.NoError(t, err)
	require.Equal(t, map[string]string{
		"charset": "utf-8", "username": "chris", "realm": "elwood.innosoft.com", "nonce": "OA6MG9tEQGm2hh", "nc": "00000001",
		"cnonce": "OA6MHXh6VqTrRk", "digest-uri": "imap/elwood.innosoft.com", "qop": "auth", "response": "d388dad90d4bbd760a152321f2143af7",
	}, fields)
	require.NoError(t, d.verify([]byte("rspauth=ea40f60335c427b5527b84dbabcdfffd")))
	require.ErrorContains(t, d.verify([]byte("rspauth=ea40f60335c427b5527b84dbabcdfffe")), "does not prove")
	require.ErrorContains(t, d.verify(nil), "does not prove")
}

func TestChallenges(t *testing.T) {
	for challenge, want := range map[string]string{
		``:                            "none of DIGEST-MD5",
		`nonce="a"`:                   "none of DIGEST-MD5",
		`nonce="a",algorithm=md5`:     "none of DIGEST-MD5",
		`nonce="a,algorithm=md5-sess`: "none of DIGEST-MD5",
		`nonce="a\`:                   "none of DIGEST-MD5",
		`nonce`:                       "none of DIGEST-MD5",
		`algorithm=md5-sess,nonce="a",qop="auth-conf, auth-int"`: "demands the protection",
		`algorithm=md5-sess,nonce="a",qop="auth-conf, auth"`:     "",
		`algorithm=md5-sess , nonce="a\"b",, realm=`:             "",
	} {
		_, err := newDigestMD5("user", "password").respond([]byte(challenge))
		if want == "" {
			require.NoError(t, err, challenge)
			continue
		}
		require.ErrorContains(t, err, want, challenge)
	}
}

// FuzzDigestMD5: whatever the server says, the answer can be read back, and says
// what was asked.
func FuzzDigestMD5(f *testing.F) {
	f.Add(`realm="zk-sasl-md5",nonce="n",qop="auth",charset=utf-8,algorithm=md5-sess`, "user")
	f.Add(`algorithm=md5-sess,nonce="\\\"",realm="a,b"`, `us"er\`)
	f.Fuzz(func(t *testing.T, challenge, user string) {
		d := newDigestMD5(user, "password")
		said, err := d.respond([]byte(challenge))
		if err != nil {
			require.Nil(t, said)
			return
		}
		fields, err := parseDirectives(string(said))
		require.NoError(t, err)
		require.Equal(t, d.nonce, fields["nonce"])
		require.Len(t, fields["response"], 32)
	})
}
