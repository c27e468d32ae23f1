package listener

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSelfSigned(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "fixtures", "client")
	own, err := SelfSigned(dir, []string{"localhost", "127.0.0.1", "::1"}, 2)
	require.NoError(t, err)
	cert, key := own.CertFile, own.KeyFile
	require.WithinDuration(t, time.Now().AddDate(0, 0, 730), own.Until, time.Hour)
	info, err := os.Stat(key)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	first, err := os.ReadFile(cert)
	require.NoError(t, err)
	// A client that has it as its CA trusts it.
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(first))
	pair, err := tls.LoadX509KeyPair(cert, key)
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	require.NoError(t, err)
	for _, name := range []string{"localhost", "127.0.0.1", "::1"} {
		_, err = leaf.Verify(x509.VerifyOptions{Roots: pool, DNSName: name})
		require.NoError(t, err, name)
	}

	same := func(hosts []string, years uint) bool {
		t.Helper()
		_, err := SelfSigned(dir, hosts, years)
		require.NoError(t, err)
		now, err := os.ReadFile(cert)
		require.NoError(t, err)
		defer func() { first = now }()
		return string(now) == string(first)
	}
	require.True(t, same([]string{"127.0.0.1"}, 5), "it is valid, and for that")
	require.False(t, same([]string{"127.0.0.1", "other"}, 5), "it is not for that")
	require.NoError(t, os.WriteFile(key, nil, 0o600))
	require.False(t, same([]string{"other"}, 5), "the key is gone")
	_, err = SelfSigned("/dev/null/x", []string{"a"}, 1)
	require.ErrorContains(t, err, "the certificate of --auto-tls: ")
}
