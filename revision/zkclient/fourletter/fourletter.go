// Package fourletter asks ZooKeeper servers with its four-letter words, which
// need no session.
//
// It imports nothing but the standard library.
package fourletter

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// maxAnswer bounds an answer, in bytes: what listens there need not be a
// ZooKeeper.
const maxAnswer = 1 << 20

// timeout bounds one question, besides the caller's context.
const timeout = 2 * time.Second

// silence is the error of a server that takes connections, and says nothing.
type silence struct{}

func (silence) Error() string { return fmt.Sprintf("it gave no answer within %v", timeout) }

// Unwrap makes it what callers ask for.
func (silence) Unwrap() error { return context.DeadlineExceeded }

// Ask sends a word ("srvr", "mntr", "ruok") to the server at addr and returns
// its answer. The server must have the word on its whitelist
// (4lw.commands.whitelist). When Ask has returned, its connection is closed.
func Ask(ctx context.Context, addr, word string) (string, error) {
	return AskBy(ctx, func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", addr)
	}, word)
}

// AskBy is Ask over a connection that dial opens, such as one with TLS. It closes
// the connection.
func AskBy(ctx context.Context, dial func(context.Context) (net.Conn, error), word string) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, silence{})
	defer cancel()
	conn, err := dial(ctx)
	if err != nil {
		return "", err
	}
	closed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(closed)
		conn.Close()
	})
	defer func() {
		if stop() {
			conn.Close()
			return
		}
		<-closed
	}()
	var answer []byte
	if _, err = io.WriteString(conn, word); err == nil {
		answer, err = io.ReadAll(io.LimitReader(conn, maxAnswer))
	}
	if err != nil && ctx.Err() != nil {
		return string(answer), context.Cause(ctx) // not that the connection was closed for it
	}
	return string(answer), err
}

// Mode returns what the server at addr is: "standalone", "leader", "follower".
// While it does not serve, that is an error.
func Mode(ctx context.Context, addr string) (string, error) {
	answer, err := Ask(ctx, addr, "srvr")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(answer) {
		if mode, ok := strings.CutPrefix(line, "Mode: "); ok {
			return strings.TrimSpace(mode), nil
		}
	}
	return "", fmt.Errorf("ZooKeeper at %s does not serve: %q", addr, strings.TrimSpace(answer))
}
