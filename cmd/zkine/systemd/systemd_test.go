package systemd

import (
	"errors"
	"io"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/cmd/zkine/systemd/systemdtest"
)

// socket is a systemd that hears what this process tells.
func socket(t *testing.T, watchdog time.Duration) (next func() string) {
	t.Helper()
	s := systemdtest.Listen(t)
	go s.Take()
	t.Setenv("NOTIFY_SOCKET", s.Path)
	t.Setenv("WATCHDOG_USEC", strconv.FormatInt(watchdog.Microseconds(), 10))
	t.Setenv("WATCHDOG_PID", strconv.Itoa(os.Getpid()))
	return func() string {
		t.Helper()
		return s.Next(t)
	}
}

func quiet() *logrus.Entry {
	log := logrus.New()
	log.SetOutput(io.Discard)
	return logrus.NewEntry(log)
}

// TestLife: a start with its status, READY once, WATCHDOG as long as it is alive.
func TestLife(t *testing.T) {
	next := socket(t, 60*time.Millisecond)
	var dead atomic.Bool
	asked := make(chan struct{}, 1000)
	m := Start(func() error {
		asked <- struct{}{}
		if dead.Load() {
			return errors.New("stuck")
		}
		return nil
	}, func() string { return "loading\n50 %" }, quiet())
	require.Equal(t, "STATUS=loading 50 %", next())
	require.Equal(t, "WATCHDOG=1", next())
	for began := time.Now(); time.Since(began) < 3*statusPeriod/2; {
		<-asked // the status is the same all the time, and is not told again
	}
	m.Ready()
	m.Ready()
	for text := next(); text != "READY=1\nSTATUS=serving etcd clients"; text = next() {
		require.Equal(t, "WATCHDOG=1", text)
	}
	require.Equal(t, "WATCHDOG=1", next())
	dead.Store(true)
	for range 3 { // what it says then is over by the third
		for len(asked) > 0 {
			<-asked
		}
		<-asked
	}
	m.Stopping()
	for text := next(); text != "STOPPING=1\nSTATUS=stopping"; text = next() {
		require.Equal(t, "WATCHDOG=1", text)
	}
	<-asked
	m.Close()
	m.send("LAST=1")
	require.Equal(t, "LAST=1", next(), "nothing was said since it was dead")
}

func TestWithoutSystemd(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	m := Start(func() error { t.Error("asked"); return nil }, func() string { return "" }, quiet())
	m.Ready()
	m.Stopping()
	m.Close()
}
