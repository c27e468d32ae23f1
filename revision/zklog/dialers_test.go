package zklog_test

import (
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zklog"
)

// outlasting is a session timeout that no test may have to wait for.
const outlasting = 20 * time.Second

// dialer dials with a short session timeout.
func dialer(servers ...string) *zkclient.Ensemble {
	return &zkclient.Ensemble{Servers: servers, Timeout: 2 * time.Second, MaxRequest: zklog.DefaultMaxRequest, Log: quiet()}
}

// lasting dials with a session timeout that no test may have to wait for.
func lasting(servers ...string) *zkclient.Ensemble {
	d := dialer(servers...)
	d.Timeout = outlasting
	return d
}

// mute accepts connections, and never says a word.
func mute(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { conn.Close() })
		}
	}()
	return l.Addr().String()
}
