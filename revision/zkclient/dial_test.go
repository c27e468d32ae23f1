package zkclient_test

import (
	"context"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/sirupsen/logrus/hooks/test"
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

// TestABulkSessionEndsAnOutage: what is said of a time without ZooKeeper begins with that time, and ends with it.
func TestABulkSessionEndsAnOutage(t *testing.T) {
	proxy := zktest.NewProxy(t, zktest.Shared(t).Addr())
	d := patient(proxy.Addr())
	logger, hook := test.NewNullLogger()
	d.Log = logrus.NewEntry(logger)
	conn, err := d.Bulk().Dial(t.Context())
	require.NoError(t, err)
	conn.Close()
	proxy.Refuse()
	dialed := make(chan error, 1)
	began := time.Now()
	go func() {
		conn, err := d.Bulk().Dial(t.Context())
		if err == nil {
			conn.Close()
		}
		dialed <- err
	}()
	require.Eventually(t, func() bool { return len(hook.AllEntries()) == 1 }, longTimeout, 10*time.Millisecond)
	require.GreaterOrEqual(t, time.Since(began), 1200*time.Millisecond, "an outage that is younger is no line")
	proxy.Accept()
	require.NoError(t, <-dialed)
	require.Regexp(t, `^ZooKeeper answers: .*; it was away for \d`, hook.LastEntry().Message)
	require.Len(t, hook.AllEntries(), 2)
}
