package zkclient

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/sirupsen/logrus/hooks/test"
	"github.com/stretchr/testify/require"
)

// told is an outage's log: each line with its level.
func told() (*logrus.Entry, func() []string) {
	logger, hook := test.NewNullLogger()
	return logrus.NewEntry(logger), func() (lines []string) {
		for _, e := range hook.AllEntries() {
			lines = append(lines, fmt.Sprintf("%s: %s", e.Level, e.Message))
		}
		hook.Reset()
		return lines
	}
}

var (
	errRefused = &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	errClosed  = fmt.Errorf("%w (%w)", errClosesEarly, ErrSessionOver)
)

// busy asks for what is due as often as a race does.
func busy(o *outage, d time.Duration) {
	for range d / sayEvery {
		time.Sleep(sayEvery)
		o.due()
	}
}

func TestAnOutageIsALineAMinuteAndOneWhenItIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, lines := told()
		o := newOutage(log)
		o.attend()
		o.begin(errors.New("the ZooKeeper session at zk1:2181 was lost"))
		o.note("10.0.0.1:2181", "zk1:2181", errRefused)
		o.note("10.0.0.2:2181", "zk2:2181", errClosed)
		o.note("10.0.0.3:2181", "zk3:2181", errClosed)
		busy(o, time.Minute)
		require.Equal(t, []string{"warning: the ZooKeeper session at zk1:2181 was lost; " +
			"no quorum: no ZooKeeper server gives a session: zk1:2181: connection refused; zk2:2181, zk3:2181: accepts connections and closes them"}, lines())
		busy(o, time.Minute)
		require.Equal(t, []string{"warning: still without ZooKeeper, for 1m1s now"}, lines())
		o.note("10.0.0.2:2181", "zk2:2181", errRefused)
		o.note("10.0.0.3:2181", "zk3:2181", errMute)
		busy(o, time.Minute)
		require.Equal(t, []string{"warning: still without ZooKeeper, for 2m1s now; now " +
			"no ZooKeeper server gives a session: zk1:2181, zk2:2181: connection refused; zk3:2181: accepts connections and keeps silent"}, lines())
		o.end("ZooKeeper serves at zk2:2181", "")
		require.Equal(t, []string{"info: ZooKeeper serves at zk2:2181; it was away for 3m0s"}, lines())
		busy(o, time.Minute)
		require.Empty(t, lines())
	})
}

// A local ZooKeeper that is started again accepts connections before it serves.
func TestAServerThatIsAloneLacksNoQuorum(t *testing.T) {
	log, _ := told()
	z := &Ensemble{Alone: true, Log: log}
	z.outage().begin(nil)
	z.outage().note("127.0.0.1:2181", "127.0.0.1:2181", errClosed)
	require.Equal(t, "no ZooKeeper server gives a session: 127.0.0.1:2181: accepts connections and closes them", z.outage().state())
}

func TestAShortInterruptionIsOneLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, lines := told()
		o := newOutage(log)
		o.attend()
		o.begin(nil) // a start
		time.Sleep(20 * time.Millisecond)
		o.end("ZooKeeper serves at zk1:2181", "")
		require.Empty(t, lines())
		o.begin(errors.New("the ZooKeeper session at zk1:2181 was lost"))
		o.note("zk1:2181", "zk1:2181", errRefused)
		busy(o, time.Second)
		o.end("ZooKeeper serves at zk2:2181", "")
		require.Equal(t, []string{"warning: the ZooKeeper session at zk1:2181 was lost; ZooKeeper serves at zk2:2181, 1s later"}, lines())
		o.begin(errors.New("zk2:2181 keeps silent"))
		time.Sleep(time.Second)
		o.forgive("zk2:2181")
		require.Empty(t, lines(), "nothing came of it")
	})
}

func TestSessionsThatComeAndGoAreToldSparingly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, lines := told()
		o := newOutage(log)
		o.attend()
		for range 600 { // ten minutes
			o.begin(errors.New("the ZooKeeper session was lost"))
			time.Sleep(time.Second / 2)
			o.end("ZooKeeper serves at zk1:2181", "")
			time.Sleep(time.Second / 2)
		}
		said := lines()
		require.LessOrEqual(t, len(said), 35)
		require.Contains(t, said[len(said)-1], "lines like this one were left out")
	})
}

func TestReasonsDoNotDifferFromTimeToTime(t *testing.T) {
	for want, err := range map[string]error{
		"connection refused":                  errRefused,
		"does not answer":                     &net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded},
		"no route to host":                    &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.EHOSTUNREACH)},
		"accepts connections and closes them": fmt.Errorf("%w (%w)", errClosesEarly, io.EOF),
	} {
		require.Equal(t, want, plainly(err))
	}
}

// TestAnOutageWaitsForAReason: a server that keeps silent is asked again before it
// is told of, later than the first line is due.
func TestAnOutageWaitsForAReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, lines := told()
		o := newOutage(log)
		o.attend()
		o.begin(nil)
		busy(o, 2*time.Second)
		require.Empty(t, lines())
		o.note("10.0.0.1:2181", "zk1:2181", errMute)
		busy(o, time.Second)
		require.Equal(t, []string{"warning: no ZooKeeper server gives a session: zk1:2181: accepts connections and keeps silent"}, lines())
		o.end("", "")
		lines()

		o.begin(nil)
		busy(o, sayAnyway)
		require.Equal(t, []string{"warning: no ZooKeeper server gives a session"}, lines())
	})
}
