package gateway

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// sockets serves requests over websockets too: each message of the client's is a part
// of the request's body, each line of the answer is a message to the client. Nothing of
// either is held here, however long it is.
type sockets struct{ next http.Handler }

// upgrader leaves it to its caller to look at the origin.
var upgrader = websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}

// The header in which a browser can say who it is, and the cookie in which others do:
// "Bearer, <token>", and the token. They are grpc-websocket-proxy's, which etcd uses.
const (
	protocolHeader = "Sec-Websocket-Protocol"
	bearer         = "Bearer"
	tokenCookie    = "token"
)

func (s sockets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !websocket.IsWebSocketUpgrade(r) {
		s.next.ServeHTTP(w, r)
		return
	}
	header := http.Header{}
	if strings.HasPrefix(r.Header.Get(protocolHeader), bearer) {
		header.Set(protocolHeader, bearer)
	}
	conn, err := upgrader.Upgrade(w, r, header)
	if err != nil {
		return // the client has its answer
	}
	ctx, cancel := context.WithCancel(r.Context())
	body, in := io.Pipe()
	var reader sync.WaitGroup
	reader.Go(func() {
		defer cancel()
		in.CloseWithError(copyMessages(in, conn))
	})
	answer := &socketAnswer{conn: conn, header: http.Header{}}
	s.next.ServeHTTP(answer, socketRequest(ctx, r, body))
	cancel()
	_ = answer.endMessage() // the connection ends anyhow
	conn.Close()
	body.Close()
	reader.Wait()
}

// socketRequest is the request that a websocket stands for.
func socketRequest(ctx context.Context, r *http.Request, body io.ReadCloser) *http.Request {
	out := (&http.Request{
		Method: http.MethodPost, // a websocket begins with GET
		URL:    r.URL, Host: r.URL.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: body, ContentLength: -1,
	}).WithContext(ctx)
	for _, name := range []string{"Origin", "Referer"} {
		if v := r.Header.Get(name); v != "" {
			out.Header.Set(name, v)
		}
	}
	if protocol := r.Header.Get(protocolHeader); protocol != "" {
		token := ""
		if _, shown, ok := strings.Cut(protocol, bearer+","); ok {
			token = bearer + " " + strings.Trim(shown, " ")
		}
		out.Header.Set("Authorization", token)
	}
	if cookie, err := r.Cookie(tokenCookie); err == nil {
		out.Header.Set("Authorization", bearer+" "+cookie.Value)
	}
	return out
}

// copyMessages passes the client's messages on until the connection ends, each with a
// newline after it.
func copyMessages(to io.Writer, conn *websocket.Conn) error {
	for {
		_, message, err := conn.NextReader()
		if err != nil {
			return io.EOF // it is over, however it ended
		}
		if _, err := io.Copy(to, message); err != nil {
			return err
		}
		if _, err := to.Write([]byte("\n")); err != nil {
			return err
		}
	}
}

// socketAnswer is the response of a request over a websocket. Its status code is said
// by the answer itself.
type socketAnswer struct {
	conn    *websocket.Conn
	header  http.Header
	message io.WriteCloser // nil between two lines
}

func (a *socketAnswer) Header() http.Header { return a.header }
func (a *socketAnswer) WriteHeader(int)     {}
func (a *socketAnswer) Flush()              {}

// SetReadDeadline is for http.ResponseController.
func (a *socketAnswer) SetReadDeadline(t time.Time) error { return a.conn.SetReadDeadline(t) }

// Write sends lines, of which empty ones are left out.
func (a *socketAnswer) Write(p []byte) (n int, err error) {
	for len(p) > 0 {
		line, rest, ended := bytes.Cut(p, []byte("\n"))
		if len(line) > 0 {
			if err := a.writePart(line); err != nil {
				return n, err
			}
		}
		if ended {
			if err := a.endMessage(); err != nil {
				return n, err
			}
		}
		n += len(p) - len(rest)
		p = rest
	}
	return n, nil
}

func (a *socketAnswer) writePart(line []byte) (err error) {
	if a.message == nil {
		if a.message, err = a.conn.NextWriter(websocket.TextMessage); err != nil {
			return err
		}
	}
	_, err = a.message.Write(line)
	return err
}

func (a *socketAnswer) endMessage() error {
	if a.message == nil {
		return nil
	}
	err := a.message.Close()
	a.message = nil
	return err
}
