package server

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"
)

// etcdsAnswer is what etcd 3.7.3 says to a request for the host evil.example.
const etcdsAnswer = `
etcd received your request, but the Host header was unrecognized.

To fix this, choose one of the following options:
- Enable TLS, then any HTTPS request will be allowed.
- Add the hostname you want to use to the whitelist in settings.
  - e.g. etcd --host-whitelist "evil.example"

This requirement has been added to help prevent "DNS Rebinding" attacks (CVE-2018-5702).

`

// askAs gets a path under the name of a host.
func askAs(t *testing.T, client *http.Client, url, host string) (code int, body string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, url, nil)
	require.NoError(t, err)
	req.Host, req.Close = host, true
	resp, err := client.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(text)
}

// A page whose host's name leads here does not get in.
func TestHostWhitelist(t *testing.T) {
	for _, c := range []struct {
		allowed []string
		host    string
		code    int
	}{
		{nil, "evil.example", 200},
		{[]string{"*"}, "evil.example", 200},
		{[]string{"localhost", "*"}, "evil.example", 200},
		{[]string{"localhost", "::1"}, "localhost", 200},
		{[]string{"localhost", "::1"}, "localhost:2379", 200},
		{[]string{"localhost", "::1"}, "[::1]:2379", 200},
		{[]string{"localhost", "::1"}, "evil.example", 421},
		{[]string{"localhost", "::1"}, "evil.example:80", 421},
		{[]string{"localhost", "::1"}, "sub.localhost", 421},
	} {
		t.Run(strings.Join(c.allowed, "+")+" "+c.host, func(t *testing.T) {
			r := start(t, func(cfg *Config) { cfg.HostWhitelist = c.allowed })
			r.accepting(t)
			code, body := askAs(t, http.DefaultClient, "http://"+r.addr+"/version", c.host)
			require.Equal(t, c.code, code)
			if code == 421 {
				require.Equal(t, strings.Replace(etcdsAnswer, "evil.example", strings.TrimSuffix(c.host, ":80"), 1), body)
				require.Len(t, r.logged(logrus.WarnLevel), 1)
			}
			code, _ = askAs(t, http.DefaultClient, r.metrics+"/version", c.host)
			require.Equal(t, 200, code, "as in etcd, the list is for the client URLs")
		})
	}
}

// The whole name of the host is the client's to hear, not the log's to keep.
func TestHostWhitelistLog(t *testing.T) {
	r := start(t, func(cfg *Config) { cfg.HostWhitelist = []string{"localhost"} })
	r.accepting(t)
	for range 3 {
		code, _ := askAs(t, http.DefaultClient, "http://"+r.addr+"/version", strings.Repeat("long.", 1000))
		require.Equal(t, 421, code)
	}
	warnings := r.logged(logrus.WarnLevel)
	require.Len(t, warnings, 1)
	text, err := warnings[0].String()
	require.NoError(t, err)
	require.Less(t, len(text), 500)
}

// With TLS a certificate stands for the host's name.
func TestHostWhitelistTLS(t *testing.T) {
	a := newAuthority(t)
	secure := startTLS(t, newTLSFiles(t, a.sign("server")).TLS, func(cfg *Config) { cfg.HostWhitelist = []string{"localhost"} })
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: clientTLS(a)}}
	code, _ := askAs(t, client, "https://"+secure.addr+"/version", "evil.example")
	require.Equal(t, 200, code)
}
