package clienturl

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/slow":
		<-r.Context().Done()
	case "/large":
		_, _ = w.Write(make([]byte, 1<<20))
	default:
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte(r.URL.Path))
	}
})

func none() (*tls.Config, error) { return nil, errors.New("no TLS is asked for") }

// TestGet goes over TCP, TLS and a Unix socket.
func TestGet(t *testing.T) {
	plain := httptest.NewServer(handler)
	defer plain.Close()
	secure := httptest.NewTLSServer(handler)
	defer secure.Close()
	trusted := func() (*tls.Config, error) {
		config := &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
		config.RootCAs.AddCert(secure.Certificate())
		return config, nil
	}
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	require.NoError(t, err)
	unix := &http.Server{Handler: handler, ReadHeaderTimeout: time.Second}
	go func() { _ = unix.Serve(l) }()
	defer unix.Close()
	_, port, err := net.SplitHostPort(plain.Listener.Addr().String())
	require.NoError(t, err)
	for at, config := range map[string]func() (*tls.Config, error){
		plain.URL: none, plain.URL + "/": none, "http://0.0.0.0:" + port: none, "http://:" + port: none, secure.URL: trusted, "unix://" + socket: none,
	} {
		answer, err := Get(t.Context(), at, "/readyz", config, 100)
		require.NoError(t, err, at)
		require.Equal(t, &Answer{503, "503 Service Unavailable", []byte("/readyz")}, answer)
		require.NoError(t, Reach(t.Context(), at, config))
	}
	large, err := Get(t.Context(), plain.URL, "/large", none, 100)
	require.NoError(t, err)
	require.Len(t, large.Body, 100)

	_, err = Get(t.Context(), secure.URL, "/", none, 1)
	require.ErrorContains(t, err, "no TLS is asked for")
	_, err = Get(t.Context(), secure.URL, "/", func() (*tls.Config, error) { return new(tls.Config), nil }, 1)
	require.ErrorContains(t, err, "certificate")
	require.False(t, strings.Contains(err.Error(), "Get "), "without the URL")
	require.ErrorIs(t, Reach(t.Context(), secure.URL, func() (*tls.Config, error) { return new(tls.Config), nil }), ErrTLS)
	require.ErrorIs(t, Reach(t.Context(), strings.Replace(plain.URL, "http", "https", 1), trusted), ErrTLS)
	_, err = Get(t.Context(), "http://a b", "/", none, 1)
	require.ErrorIs(t, err, ErrURL)
	unix.Close()
	require.Error(t, Reach(t.Context(), "unix://"+socket, none))
	slow := errors.New("too slow")
	ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, slow)
	defer cancel()
	_, err = Get(ctx, plain.URL, "/slow", none, 1)
	require.ErrorIs(t, err, slow)
}
