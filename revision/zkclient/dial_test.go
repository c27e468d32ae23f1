package zkclient_test

import (
	"context"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zktest"
)

// longTimeout is a session timeout that no test here may have to wait for.
const longTimeout = 20 * time.Second

// patient dials with a long session timeout.
func patient(servers ...string) *zkclient.Ensemble {
	return &zkclient.Ensemble{Servers: servers, Timeout: longTimeout, MaxRequest: 900 << 10, Log: discard()}
}

// discard is a log that no test reads.
func discard() *logrus.Entry {
	l := logrus.New()
	l.SetLevel(logrus.PanicLevel)
	return logrus.NewEntry(l)
}

// TestAServerThatHangsDoesNotHoldUpADial dials often enough to begin with each
// server.
func TestAServerThatHangsDoesNotHoldUpADial(t *testing.T) {
	d := patient(zktest.Hung(t), zktest.Shared(t).Addr(), zktest.Hung(t))
	for range 6 {
		ctx, cancel := context.WithTimeout(t.Context(), longTimeout/2)
		conn, err := d.Dial(ctx)
		cancel()
		require.NoError(t, err)
		conn.Close()
	}
}

// TestEachDialBeginsWithAnotherServer counts sessions through two proxies. Where
// a server takes its time, the other one is asked as well.
func TestEachDialBeginsWithAnotherServer(t *testing.T) {
	one, two := zktest.NewProxy(t, zktest.Shared(t).Addr()), zktest.NewProxy(t, zktest.Shared(t).Addr())
	d := patient(one.Addr(), two.Addr())
	for range 6 {
		conn, err := d.Dial(t.Context())
		require.NoError(t, err)
		conn.Close()
	}
	require.GreaterOrEqual(t, one.Requests(zktest.OpClose), 2)
	require.GreaterOrEqual(t, two.Requests(zktest.OpClose), 2)
}
