package secrets

import (
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"
)

func b64(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

// post sends a body to the gateway. The answer is the sender's alone.
func (s *site) post(path, body string, header ...string) (int, string) {
	s.Helper()
	return s.send("http://"+s.z.Endpoint+path, body, header...)
}

func (s *site) send(url, body string, header ...string) (int, string) {
	s.Helper()
	r, err := http.NewRequestWithContext(within(s.T), http.MethodPost, url, strings.NewReader(body))
	require.NoError(s, err)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	require.NoError(s, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(s, err)
	return resp.StatusCode, string(text)
}

// overHTTP are secrets in JSON, headers and URLs.
var overHTTP = []plant{
	{"value in JSON", func(s *site, secret string) {
		code, text := s.post("/v3/kv/put", fmt.Sprintf(`{"key":%q,"value":%q}`, b64("a/json"), b64(secret)), "Authorization", s.tokens["alice"])
		require.Equal(s, http.StatusOK, code, text)
		s.holds("a/json", secret)
		code, text = s.post("/v3/kv/put", fmt.Sprintf(`{"key":%q,"value":%q}`, b64("b/json"), b64(secret)), "Authorization", s.tokens["alice"])
		require.Equal(s, http.StatusForbidden, code, text)
		s.hear(text)
	}},
	{"JSON that is malformed", func(s *site, secret string) {
		for _, body := range []string{
			`{"key":"` + secret, `{"key":"` + secret + `!"}`, `{"key":{"` + secret + `":1}}`, `{"key":1234,"value":"` + secret + `"}`,
			secret, `{"lease":"` + secret + `"}`, `[` + secret + `]`, "\xff" + secret,
		} {
			code, text := s.post("/v3/kv/put", body, "Authorization", s.tokens["root"])
			require.Equal(s, http.StatusBadRequest, code, text)
		}
	}},
	{"JSON that is too large", func(s *site, secret string) {
		code, text := s.post("/v3/kv/put", `{"key":"YQ==","value":"`+strings.Repeat(secret, 12<<20/len(secret))+`"}`, "Authorization", s.tokens["root"])
		require.Equal(s, http.StatusBadRequest, code, text)
		s.hear(text)
	}},
	{"password in JSON", func(s *site, secret string) {
		code, text := s.post("/v3/auth/user/add", `{"name":"web","password":"`+secret+`"}`, "Authorization", s.tokens["root"])
		require.Equal(s, http.StatusOK, code, text)
		s.hear(text)
		code, text = s.post("/v3/auth/authenticate", `{"name":"web","password":"`+secret+`"}`)
		require.Equal(s, http.StatusOK, code, text)
		code, text = s.post("/v3/auth/authenticate", `{"name":"web","password":"`+secret+` "}`)
		require.Equal(s, http.StatusBadRequest, code, text)
		s.hear(text)
		s.loginAgain()
	}},
	{"header", func(s *site, secret string) {
		const body = `{"key":"YS92YWx1ZQ=="}`
		for _, authorization := range []string{secret, "Bearer " + secret, "Basic " + b64("alice:"+secret)} {
			code, text := s.post("/v3/kv/range", body, "Authorization", authorization)
			require.Equal(s, http.StatusUnauthorized, code, text)
			s.hear(text)
		}
		code, text := s.post("/v3/kv/range", body, "Cookie", "token="+secret, "Grpc-Metadata-Token", secret, "X-Secret", secret, "Grpc-Timeout", secret)
		require.NotEqual(s, http.StatusOK, code, text)
	}},
	{"password in a URL", func(s *site, secret string) {
		code, text := s.send("http://alice:"+secret+"@"+s.z.Endpoint+"/v3/kv/range?token="+secret, `{"key":"YS92YWx1ZQ=="}`)
		require.Equal(s, http.StatusUnauthorized, code, text)
		s.hear(text)
		for _, host := range []string{s.z.Endpoint, s.z.Metrics} {
			for _, path := range []string{"/health?token=", "/readyz?exclude=", "/metrics?password=", "/v2/keys/", "/debug/pprof/", "/debug/pprof/symbol?"} {
				code, _ := s.send("http://alice:"+secret+"@"+host+path+secret, "")
				require.NotZero(s, code)
			}
		}
	}},
	{"websocket", func(s *site, secret string) {
		for _, message := range []string{`{"create_request":{"key":"` + b64("a/value") + `"}}`, `{"create_request":"` + secret, secret} {
			conn, resp, err := websocket.DefaultDialer.DialContext(within(s.T), "ws://"+s.z.Endpoint+"/v3/watch?secret="+secret, http.Header{
				"Sec-WebSocket-Protocol": {"Bearer, " + s.tokens["alice"]}, "Cookie": {"other=" + secret},
			})
			require.NoError(s, err)
			resp.Body.Close()
			require.NoError(s, conn.SetReadDeadline(time.Now().Add(patience)))
			require.NoError(s, conn.WriteMessage(websocket.TextMessage, []byte(message)))
			if strings.HasSuffix(message, "}") { // nothing comes of the others
				_, text, err := conn.ReadMessage()
				require.NoError(s, err)
				require.Contains(s, string(text), `"created":true`)
			}
			// A close frame that says why with the secret, and one that cannot be.
			require.NoError(s, conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseProtocolError, secret), time.Now().Add(patience)))
			_, _ = conn.NetConn().Write([]byte("\xff\xff" + secret))
			conn.Close()
		}
		conn, _, err := websocket.DefaultDialer.DialContext(within(s.T), "ws://"+s.z.Endpoint+"/v3/watch", http.Header{"Sec-WebSocket-Protocol": {"Bearer, " + secret}})
		require.NoError(s, err)
		require.NoError(s, conn.SetReadDeadline(time.Now().Add(patience)))
		require.NoError(s, conn.WriteMessage(websocket.TextMessage, []byte(`{"create_request":{"key":"YQ=="}}`)))
		_, text, err := conn.ReadMessage()
		require.NoError(s, err)
		require.Contains(s, string(text), "invalid auth token")
		s.hear(string(text))
		conn.Close()
	}},
	{"garbage", func(s *site, secret string) {
		for _, address := range []string{s.z.Endpoint, s.secure, s.z.Metrics} {
			for _, text := range []string{
				secret + "\r\n\r\n", "GET /" + secret + " HTTP/1.1\r\n" + secret + "\r\n\r\n", "GET / HTTP/1.1\r\nHost: " + secret + "\x00\r\n\r\n",
				"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + secret, "PRI * HTTP/2.0\r\n\r\n" + secret, "\x16\x03\x01\x00\x21" + secret, "POST /v3/kv/put HTTP/1.1\r\nHost: x\r\nContent-Length: -" + secret + "\r\n\r\n",
				"CONNECT alice:" + secret + "@host:1 HTTP/1.1\r\n\r\n",
			} {
				conn, err := net.Dial("tcp", address)
				require.NoError(s, err)
				_, err = io.WriteString(conn, text)
				require.NoError(s, err)
				_ = conn.(*net.TCPConn).CloseWrite() // the server may have had enough before
				require.NoError(s, conn.SetReadDeadline(time.Now().Add(patience)))
				_, _ = io.ReadAll(conn) // it is over when the server has had enough
				conn.Close()
			}
		}
	}},
	{"name in a TLS handshake", func(s *site, secret string) {
		for _, address := range []string{s.z.Endpoint, s.secure} {
			config := s.clientTLS("")
			config.ServerName, config.NextProtos, config.InsecureSkipVerify = secret+".example", []string{secret}, true //nolint:gosec // nothing is trusted
			conn, err := tls.Dial("tcp", address, config)
			if err == nil { // refused later, for want of a certificate
				_, err = conn.Read(make([]byte, 1))
				conn.Close()
			}
			require.Error(s, err)
		}
	}},
	{"file of a key that is broken", func(s *site, secret string) {
		good, err := os.ReadFile(s.own.KeyFile)
		require.NoError(s, err)
		require.NoError(s, os.WriteFile(s.own.KeyFile, []byte("-----BEGIN PRIVATE KEY-----\n"+b64(secret)+"\n-----END PRIVATE KEY-----\n"), 0o600))
		_, err = s.await("the TLS files changed and cannot be used", func() {
			conn, err := tls.Dial("tcp", s.secure, s.clientTLS("alice"))
			if err == nil {
				conn.Close()
			}
		})
		require.NoError(s, err)
		require.NoError(s, os.WriteFile(s.own.KeyFile, good, 0o600))
	}},
}
