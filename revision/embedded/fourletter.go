package embedded

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// maxAnswer bounds an answer, in bytes: whoever listens there need not be a ZooKeeper.
const maxAnswer = 1 << 20

// FourLetter sends one of ZooKeeper's four-letter words ("srvr", "mntr", "ruok") to a server and returns its answer.
// The server must have the word on its whitelist. The context bounds it, and two seconds do.
func FourLetter(ctx context.Context, addr, word string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if _, err := io.WriteString(conn, word); err != nil {
		return "", err
	}
	answer, err := io.ReadAll(io.LimitReader(conn, maxAnswer))
	return string(answer), err
}

// Mode returns what the server at addr is: "standalone", "leader", "follower". While it does not serve, an error.
func Mode(ctx context.Context, addr string) (string, error) {
	answer, err := FourLetter(ctx, addr, "srvr")
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
