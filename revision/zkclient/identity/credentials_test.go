package identity

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sirupsen/logrus"
	logrustest "github.com/sirupsen/logrus/hooks/test"
	"github.com/stretchr/testify/require"
)

func authFile(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "auth")
	require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	return name
}

func TestCredentialsOfAFile(t *testing.T) {
	all, err := ReadCredentials(authFile(t, "\xef\xbb\xbf# zkine's\n\n digest:zkine:pass:word \r\nsasl:zkine:other\n"))
	require.NoError(t, err)
	require.Equal(t, []Credential{{"digest", []byte("zkine:pass:word")}, {"sasl", []byte("zkine:other")}}, all)
	require.NotContains(t, fmt.Sprintf("%v %+v %#v %s %q", all, all, all, all[0], all[1]), "pass", "no format shows a secret")
}

// TestBadAuthFiles: errors name the line, and never what it holds.
func TestBadAuthFiles(t *testing.T) {
	for text, want := range map[string]string{
		"":                                      "holds no credential; write a line like digest:user:password",
		"# nothing\n":                           "holds no credential",
		"marker":                                "line 1: it has no scheme",
		"digest:marker":                         "line 1: it is not a user and a password",
		"digest:marker:":                        "line 1: it is not a user and a password",
		"\n\nsasl::marker":                      "line 3: it is not a user and a password",
		"marker:a:b":                            "line 1: its scheme is none that zkine can show",
		"x509:CN=marker":                        "line 1: the scheme x509 cannot stand there; a certificate needs no line",
		"kerberos:marker":                       "zkine does not speak Kerberos; use a certificate, digest or sasl",
		"gssapi:marker@REALM":                   "zkine does not speak Kerberos",
		"auth:marker":                           "auth is what an ACL says",
		"super:marker":                          "digest:super:password",
		strings.Repeat("digest:u:marker\n", 17): "more than 16 credentials",
		"digest:u:" + strings.Repeat("marker", 20000): "more than 65536 bytes",
	} {
		_, err := ReadCredentials(authFile(t, text))
		require.ErrorIs(t, err, ErrCredentials, text)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "marker")
	}
	_, err := ReadCredentials(filepath.Join(t.TempDir(), "none"))
	require.ErrorIs(t, err, ErrCredentials)
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestAnAuthFileIsReadAgain(t *testing.T) {
	logger, said := logrustest.NewNullLogger()
	name := authFile(t, "digest:zkine:one")
	file, err := OpenAuthFile(name, logrus.NewEntry(logger))
	require.NoError(t, err)
	require.Empty(t, said.AllEntries())
	require.Equal(t, []Credential{{"digest", []byte("zkine:one")}}, file.Credentials())
	require.NoError(t, os.WriteFile(name, []byte("half a"), 0o600))
	for range 5 {
		require.Equal(t, []Credential{{"digest", []byte("zkine:one")}}, file.Credentials(), "what cannot be used changes nothing")
	}
	require.Len(t, said.AllEntries(), 1, "said once")
	require.NoError(t, os.WriteFile(name, []byte("digest:zkine:two"), 0o600))
	require.Equal(t, []Credential{{"digest", []byte("zkine:two")}}, file.Credentials())

	require.NoError(t, os.Chmod(name, 0o644))
	_, err = OpenAuthFile(name, logrus.NewEntry(logger))
	require.NoError(t, err)
	require.Contains(t, said.LastEntry().Message, "every user of this host may read the credentials in "+name+"; take that away with chmod 600")
}
