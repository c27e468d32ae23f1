package server

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision/memzk"
	"github.com/zkine/zkine/server/console"
	"github.com/zkine/zkine/server/listener"
)

// With users, each reads what it may; nothing without a login.
func TestConsoleUsers(t *testing.T) {
	l := startConsole(t)
	l.put("a/1", "alice's")
	l.put("b/1", "not hers")
	l.m.enableAuth(t)
	about := read[struct{ Login bool }](l, "about")
	require.True(t, about.Login)
	all := []string{"status", "samples", "ensemble", "usage", "keys", "search?text=a", "value?key=a/1", "history?key=a/1", "watch?key=a/1"}
	for _, token := range []string{"", "made.up"} {
		l.token = token
		for _, name := range all {
			resp, err := http.Get(l.m.web + "/console/api/" + name)
			require.NoError(t, err)
			resp.Body.Close()
			require.Contains(t, []int{401, 403}, resp.StatusCode, name)
		}
	}
	require.Equal(t, 403, l.login("alice", "wrong"))
	require.Equal(t, 200, l.login("alice", "a"))
	require.False(t, read[struct{ Login bool }](l, "about").Login)
	require.Len(t, read[listed](l, "keys", "prefix", "a/").Entries, 1)
	for name, parameters := range map[string][]string{
		"keys": {"prefix", ""}, "value": {"key", "b/1"}, "history": {"key", "b/1"}, "search": {"text", "1"}, "usage": nil, "ensemble": nil, "watch": {"key", "b/1"},
	} {
		code, body := l.ask("api/"+name, parameters...)
		require.Equal(t, 403, code, "%s: %s", name, body)
		require.NotContains(t, body, "not hers")
	}
	read[map[string]any](l, "status")
	require.Equal(t, 200, l.login("root", "r"))
	require.Contains(t, fmt.Sprint(read[map[string]any](l, "usage")), "zkine-console")

	// A login is bounded, and JSON.
	for body, kind := range map[string]string{strings.Repeat("x", 1<<20): "application/json", `{"name":"root","password":"r"}`: "text/plain"} {
		resp, err := http.Post(l.m.web+"/console/api/login", kind, strings.NewReader(body))
		require.NoError(t, err)
		resp.Body.Close()
		require.GreaterOrEqual(t, resp.StatusCode, 400)
	}
}

func (l *looker) login(name, password string) int {
	l.t.Helper()
	body, err := json.Marshal(map[string]string{"name": name, "password": password})
	require.NoError(l.t, err)
	resp, err := http.Post(l.m.web+"/console/api/login", "application/json", bytes.NewReader(body))
	require.NoError(l.t, err)
	defer resp.Body.Close()
	var answer struct{ Token string }
	require.NoError(l.t, json.NewDecoder(resp.Body).Decode(&answer))
	l.token = answer.Token
	return resp.StatusCode
}

// The data of a Secret are in no answer.
func TestConsoleShowsNoSecrets(t *testing.T) {
	l := startConsole(t)
	secret, err := os.ReadFile("console/kube/testdata/secret.pb")
	require.NoError(t, err)
	const password = "correct-horse-battery-staple"
	require.Contains(t, string(secret), password)
	ctx, cancel := context.WithCancel(ctxFor(t))
	defer cancel()
	live := l.open(ctx, "api/watch", "prefix", "")
	defer live.Body.Close()
	for range 2 {
		l.put("/registry/secrets/shop/db", string(secret))
	}
	answers := l.read(live.Body, `"version":2`)
	for name, parameters := range map[string][]string{
		"value": {"key", "/registry/secrets/shop/db"}, "history": {"key", "/registry/secrets/shop/db"}, "keys": {"prefix", "/registry/secrets/shop/"}, "search": {"text", "db"},
	} {
		code, body := l.ask("api/"+name, parameters...)
		require.Equal(t, 200, code)
		require.Contains(t, body, "db")
		answers += body
	}
	require.Contains(t, answers, "masked")
	require.NotContains(t, answers, password)
	require.NotContains(t, answers, "Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5LXN0YXBsZQ")
}

// A URL that asks less of clients than the client URLs do shows no keys.
func TestConsoleIsNoWayAround(t *testing.T) {
	a := newAuthority(t)
	files := newTLSFiles(t, a.sign("server")).TLS
	files.ClientCertAuth, files.TrustedCAFile = true, files.CertFile
	s := &Server{cfg: Config{TLS: files}}
	listen := func(urls ...string) []net.Listener {
		ls, err := listener.Listen(urls)
		require.NoError(t, err)
		t.Cleanup(func() { listener.CloseAll(ls) })
		return ls
	}
	dir := t.TempDir()
	secure, plain := listen("https://127.0.0.1:0"), listen("http://127.0.0.1:0")
	unix, secureUnix := listen("unix://"+dir+"/a"), listen("unixs://"+dir+"/b")
	for _, c := range []struct {
		clients, metrics []net.Listener
		closed           bool
	}{
		{secure, plain, true}, {secure, secure, false}, {plain, plain, false}, {plain, secure, false}, {secure, unix, true},
		{slices.Concat(secure, plain), plain, false}, {unix, plain, true}, {unix, unix, false}, {secureUnix, secure, true}, {secureUnix, secureUnix, false},
	} {
		s.bound.clients = c.clients
		require.Equal(t, c.closed, s.closed(c.metrics[0]) != "", "clients on %v, metrics on %v", c.clients[0].Addr(), c.metrics[0].Addr())
	}
}

// The common name of a browser's certificate is its user, where no token is shown.
func TestConsoleByCertificate(t *testing.T) {
	a := newAuthority(t)
	files := newTLSFiles(t, a.sign("server"))
	files.trust(a)
	files.TLS.ClientCertAuth = true
	z := memzk.New()
	plain := startMember(t, z, "one", nil)
	plain.enableAuth(t)
	require.NoError(t, plain.put(plain.login(t, "root", "r"), "b/1"))
	require.NoError(t, plain.put(plain.login(t, "alice", "a"), "a/1"))
	m := startMember(t, z, "two", nil, func(c *Config) {
		c.ClientURLs, c.TLS, c.Console = []string{"https://127.0.0.1:0"}, files.TLS, ConsoleAuto
		c.MetricsListeners = listenMetrics(t, "https://127.0.0.1:0")
	})
	as := func(name string) *looker {
		return &looker{t: t, m: m, client: httpsClient(t, clientTLS(a, a.sign(name)), false)}
	}
	alice := as("alice")
	require.Eventually(t, func() bool {
		code, body := alice.ask("api/about")
		return code == 200 && !strings.Contains(body, "starting")
	}, soon, soon/1000)
	require.False(t, read[struct{ Login bool }](alice, "about").Login)
	require.Len(t, read[listed](alice, "keys", "prefix", "a/").Entries, 1)
	code, body := alice.ask("api/keys", "prefix", "b/")
	require.Equal(t, 403, code, body)
	code, _ = alice.ask("api/usage")
	require.Equal(t, 403, code)
	alice.token = "made.up"
	code, _ = alice.ask("api/keys", "prefix", "a/")
	require.Equal(t, 401, code, "a token counts for more")
	require.Len(t, read[listed](as("root"), "keys", "prefix", "b/").Entries, 1)
	require.True(t, read[struct{ Login bool }](as(""), "about").Login, "a certificate without a name is nobody's")
	for _, name := range []string{"", "mallory"} {
		code, body = as(name).ask("api/keys", "prefix", "a/")
		require.Contains(t, []int{401, 403}, code, body)
	}
	_, err := httpsClient(t, clientTLS(a), false).Get(m.web + console.Path)
	require.Error(t, err, "the URL asks for a certificate")
}

// By default it is on a unix socket, as on a loopback address.
func TestConsoleOnUnixSocket(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "metrics")
	l := startConsole(t, func(c *Config) { c.MetricsListeners = listenMetrics(t, "unix://"+socket) })
	l.m.web = "http://localhost"
	l.client = &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}}
	t.Cleanup(l.client.CloseIdleConnections)
	l.put("a/1", "x")
	code, body := l.ask("")
	require.Equal(t, 200, code)
	require.Contains(t, body, "zkine")
	require.Len(t, read[listed](l, "keys", "prefix", "a/").Entries, 1)
	require.NotEmpty(t, fmt.Sprint(read[map[string]any](l, "usage")["clients"]))
}

// What sends nothing, or takes nothing, keeps no turn from others.
func TestConsoleTurnsEnd(t *testing.T) {
	l := startConsole(t)
	host := strings.TrimPrefix(l.m.web, "http://")
	var stuck []net.Conn
	for range 8 {
		c, err := net.Dial("tcp", host)
		require.NoError(t, err)
		t.Cleanup(func() { c.Close() })
		_, err = fmt.Fprintf(c, "POST /console/api/login HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n", host)
		require.NoError(t, err)
		stuck = append(stuck, c)
	}
	require.Eventually(t, func() bool {
		code, body := l.ask("api/about")
		return code == 503 && strings.Contains(body, "too many reads")
	}, soon, soon/1000)
	for _, c := range stuck {
		require.NoError(t, c.SetReadDeadline(time.Now().Add(soon)))
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		require.NoError(t, err)
		resp.Body.Close()
		require.Equal(t, 400, resp.StatusCode)
	}
	read[map[string]any](l, "about")
}
