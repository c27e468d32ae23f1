package server

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/revision/memzk"
	"github.com/zkine/zkine/server/listener"
)

// looker asks a console, as its page does.
type looker struct {
	t     *testing.T
	m     *member
	token string
	// client is nil for http.DefaultClient.
	client *http.Client
}

func startConsole(t *testing.T, edit ...func(*Config)) *looker {
	t.Helper()
	edit = append([]func(*Config){func(c *Config) { c.Console = ConsoleAuto }}, edit...)
	m := startMember(t, memzk.New(), "one", nil, edit...)
	require.Eventually(t, func() bool { return m.get(ctxFor(t), "x") == nil }, soon, soon/1000)
	return &looker{t: t, m: m}
}

// ask asks for something, and returns the status and the body.
func (l *looker) ask(name string, parameters ...string) (int, string) {
	l.t.Helper()
	resp := l.open(ctxFor(l.t), name, parameters...)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(l.t, err)
	return resp.StatusCode, string(body)
}

func (l *looker) open(ctx context.Context, name string, parameters ...string) *http.Response {
	l.t.Helper()
	query := url.Values{}
	for i := 0; i < len(parameters); i += 2 {
		query.Set(parameters[i], parameters[i+1])
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, l.m.web+"/console/"+name+"?"+query.Encode(), nil)
	require.NoError(l.t, err)
	if l.token != "" {
		req.Header.Set("Authorization", "Bearer "+l.token)
	}
	client := l.client
	if client == nil {
		client = http.DefaultClient
	}
	resp, err := client.Do(req)
	require.NoError(l.t, err)
	return resp
}

// read asks for what must be there.
func read[T any](l *looker, name string, parameters ...string) (out T) {
	l.t.Helper()
	code, body := l.ask("api/"+name, parameters...)
	require.Equal(l.t, 200, code, body)
	require.NoError(l.t, json.Unmarshal([]byte(body), &out), body)
	return out
}

func (l *looker) put(key, value string) {
	l.t.Helper()
	_, err := l.m.kv.Put(ctxFor(l.t), &pb.PutRequest{Key: []byte(key), Value: []byte(value)})
	require.NoError(l.t, err)
}

type listed struct {
	Count   int64
	Entries []struct {
		Key, Name      string
		Count, Version int64
	}
	Next string
}

func TestConsolePage(t *testing.T) {
	l := startConsole(t)
	resp := l.open(ctxFor(t), "")
	defer resp.Body.Close()
	require.Equal(t, 200, resp.StatusCode)
	policy := resp.Header.Get("Content-Security-Policy")
	for _, rule := range []string{"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "form-action 'none'", "require-trusted-types-for 'script'"} {
		require.Contains(t, policy, rule)
	}
	require.NotContains(t, policy, "unsafe")
	require.Equal(t, "DENY", resp.Header.Get("X-Frame-Options"))
	require.Equal(t, "nosniff", resp.Header.Get("X-Content-Type-Options"))
	require.Equal(t, "text/html; charset=utf-8", resp.Header.Get("Content-Type"))

	for _, name := range []string{"assets/index.js", "assets/index.css", "icon.svg"} {
		code, _ := l.ask(name)
		require.Equal(t, 200, code, name)
	}
	for name, want := range map[string]int{"sources.sha256": 404, "../metrics": 200, "api/nothing": 404, "assets/": 404} {
		code, _ := l.ask(name)
		require.Equal(t, want, code, name)
	}
	resp, err := http.Post(l.m.web+"/console/api/keys", "application/json", nil)
	require.NoError(t, err)
	resp.Body.Close()
	require.Equal(t, 405, resp.StatusCode, "it only reads")

	code, _ := askAs(t, http.DefaultClient, l.m.web+"/console/api/keys", "evil.example")
	require.Equal(t, 421, code, "a page whose host's name leads here")
	for site, want := range map[string]int{"cross-site": 403, "same-site": 403, "same-origin": 200, "none": 200} {
		req, err := http.NewRequest(http.MethodGet, l.m.web+"/console/api/keys", nil)
		require.NoError(t, err)
		req.Header.Set("Sec-Fetch-Site", site)
		resp, err = http.DefaultClient.Do(req)
		require.NoError(t, err)
		resp.Body.Close()
		require.Equal(t, want, resp.StatusCode, site)
		require.Equal(t, "no-store", resp.Header.Get("Cache-Control"))
	}
	code, _ = askAs(t, http.DefaultClient, "http://"+l.m.addr+"/console/", "localhost")
	require.Equal(t, 404, code, "it is not on the client URLs")
}

// Where the console is: on sockets that no other machine reaches, unless it is asked for.
func TestConsoleIsWhereItIsWanted(t *testing.T) {
	for _, c := range []struct {
		mode     ConsoleMode
		url      string
		there    bool
		existing string
	}{
		{ConsoleAuto, "http://127.0.0.1:0", true, ""}, {ConsoleAuto, "http://0.0.0.0:0", false, ""}, {ConsoleOn, "http://0.0.0.0:0", true, ""},
		{ConsoleOff, "http://127.0.0.1:0", false, ""}, {"", "http://127.0.0.1:0", false, ""},
	} {
		t.Run(fmt.Sprint(c.mode, c.url), func(t *testing.T) {
			r := start(t, func(cfg *Config) {
				listener.CloseAll(cfg.MetricsListeners)
				var err error
				cfg.MetricsListeners, err = listener.ListenMetrics([]string{c.url})
				require.NoError(t, err)
				cfg.Console = c.mode
			})
			_, port, err := net.SplitHostPort(r.cfg.MetricsListeners[0].Addr().String())
			require.NoError(t, err)
			code, _ := askAs(t, http.DefaultClient, "http://127.0.0.1:"+port+"/console/", "localhost")
			require.Equal(t, c.there, code == 200, "%d", code)
		})
	}
}

// read reads until a text has come.
func (l *looker) read(from io.Reader, until string) string {
	l.t.Helper()
	var all strings.Builder
	for lines := bufio.NewScanner(from); lines.Scan(); {
		if all.WriteString(lines.Text() + "\n"); strings.Contains(lines.Text(), until) {
			return all.String()
		}
	}
	l.t.Fatalf("%q did not come, but:\n%s", until, all.String())
	return ""
}

// A watch tells of what changes, counts what comes too fast, and ends with the server. There are so many at most.
func TestConsoleWatch(t *testing.T) {
	l := startConsole(t)
	l.put("a/0", "x")
	ctx, cancel := context.WithCancel(ctxFor(t))
	defer cancel()
	live := l.open(ctx, "api/watch", "prefix", "a/")
	defer live.Body.Close()
	require.Equal(t, "text/event-stream", live.Header.Get("Content-Type"))
	l.put("a/1", "one")
	l.put("b/1", "elsewhere")
	l.put("a/0", "two")
	_, err := l.m.kv.DeleteRange(ctxFor(t), &pb.DeleteRangeRequest{Key: []byte("a/1")})
	require.NoError(t, err)
	text := l.read(live.Body, `"deleted":true`)
	require.Contains(t, text, `"key":"a/1","revision":3,"created":true,"version":1,"bytes":3`)
	require.NotContains(t, text, "b/1")
	require.NotContains(t, text, "two")

	var more []*http.Response
	for range 15 {
		more = append(more, l.open(ctx, "api/watch", "key", "x"))
	}
	require.False(t, slices.ContainsFunc(more, func(r *http.Response) bool { return r.StatusCode != 200 }))
	code, body := l.ask("api/watch", "key", "x")
	require.Equal(t, 503, code, body)
	for _, r := range more {
		defer r.Body.Close()
	}
	require.NoError(t, l.m.server.Stop(ctxFor(t)))
	l.read(live.Body, "event: end")
}
