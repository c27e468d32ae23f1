package transport

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestProbe asks servers that say nothing to a connect request.
func TestProbe(t *testing.T) {
	secure := func(config *tls.Config) string {
		s := httptest.NewUnstartedServer(http.NotFoundHandler())
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		s.TLS = config
		s.StartTLS()
		t.Cleanup(s.Close)
		return s.Listener.Addr().String()
	}
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	for name, c := range map[string]struct{ address, is string }{
		"HTTP":                         {plain.Listener.Addr().String(), `looks like HTTP ("HTTP/1.1 400 Bad Request"), not ZooKeeper; `},
		"TLS":                          {secure(nil), "looks like TLS, not ZooKeeper; if it is ZooKeeper's secureClientPort"},
		"TLS for those with a name":    {secure(&tls.Config{ClientAuth: tls.RequireAnyClientCert}), "looks like TLS, not ZooKeeper; if"},
		"waits for a method":           {answering(t, "GET ", "HTTP/1.0 404 Not Found\r\n"), `looks like HTTP ("HTTP/1.0 404 Not Found"), not ZooKeeper; `},
		"a ZooKeeper":                  {answering(t, "srvr", "Zookeeper version: 3.9.6\n"), ""},
		"a ZooKeeper without a leader": {answering(t, "srvr", "This ZooKeeper instance is not currently serving requests\n"), ""},
		"keeps silent":                 {answering(t, "what nothing asks", ""), ""},
		"closes":                       {answering(t, "", ""), ""},
		"no server":                    {"127.0.0.1:1", ""},
	} {
		t.Run(name, func(t *testing.T) {
			err := Probe(t.Context(), c.address)
			if c.is == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, ErrNotZooKeeper)
			require.ErrorContains(t, err, c.is)
		})
	}
}

// answering is a server that closes once it has answered what begins so, and says
// nothing to anything else.
func answering(t *testing.T, question, answer string) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			stop := context.AfterFunc(t.Context(), func() { conn.Close() })
			go func() {
				defer stop()
				defer conn.Close()
				asked, _ := bufio.NewReader(conn).Peek(len(question)) // less, if the client has gone
				if string(asked) == question || strings.HasPrefix(question, string(asked)) {
					io.WriteString(conn, answer) // what comes of it shows
					return
				}
				io.Copy(io.Discard, conn) //nolint:errcheck // until the client goes
			}()
		}
	}()
	return listener.Addr().String()
}
