package server_test

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision/memzk"
	"github.com/zkine/zkine/server"
)

// These are clients of the JSON gateway that send without end: one message of up to
// endless bytes, in pieces.
const endless = 128 << 20

var piece = strings.Repeat("A", 1<<20)

// TestAJSONMessageIsBoundedOnEveryPath: on the streams too, whose bodies have no end, a
// message that is too large is refused before it is held.
func TestAJSONMessageIsBoundedOnEveryPath(t *testing.T) {
	addr := listenReal(t, memzk.New(), server.Config{}, "http://127.0.0.1:0")[0].Addr().String()
	sends := map[string]func(path string) string{
		"http":      func(path string) string { return postEndless(addr, path) },
		"websocket": func(path string) string { return sayEndless(addr, path) },
	}
	for _, path := range []string{"/v3/watch", "/v3/lease/keepalive", "/v3/maintenance/snapshot", "/v3/kv/put"} {
		for over, send := range sends {
			t.Run(over+path, func(t *testing.T) {
				before := memory()
				most := int64(0)
				answered := make(chan string, 1)
				go func() { answered <- send(path) }()
				for {
					select {
					case answer := <-answered:
						require.Contains(t, answer, "etcdserver: request is too large")
						t.Logf("at most %d MiB", most>>20)
						require.Less(t, most, int64(64*mib)) // 8 MiB of JSON, and what garbage there is
						return
					case <-time.After(20 * time.Millisecond):
						most = max(most, memory()-before)
					}
				}
			})
		}
	}
}

// postEndless sends the message as the body of a request, and returns all that comes
// back.
func postEndless(addr, path string) string {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	go func() {
		fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n{\"x\":\"\r\n", path)
		for sent := 0; sent < endless; sent += len(piece) {
			if _, err := fmt.Fprintf(conn, "%x\r\n%s\r\n", len(piece), piece); err != nil {
				return
			}
		}
	}()
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	answer, _ := io.ReadAll(conn) // the connection ends in the middle
	return string(answer)
}

// sayEndless sends the message as one of a websocket's.
func sayEndless(addr, path string) string {
	conn, _, err := websocket.DefaultDialer.Dial("ws://"+addr+path, nil)
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	go func() {
		w, err := conn.NextWriter(websocket.TextMessage)
		if err == nil {
			_, err = io.WriteString(w, `{"x":"`)
		}
		for sent := 0; err == nil && sent < endless; sent += len(piece) {
			_, err = io.WriteString(w, piece)
		}
	}()
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	_, answer, err := conn.ReadMessage()
	if err != nil {
		return err.Error()
	}
	return string(answer)
}
