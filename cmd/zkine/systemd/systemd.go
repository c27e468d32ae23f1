// Package systemd tells systemd how a service of Type=notify is: that it starts and
// how far it is, that it serves, that it is alive, that it stops. Without
// NOTIFY_SOCKET in the environment it tells no one.
package systemd

import (
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/sirupsen/logrus"

	"github.com/zkine/zkine/revision/throttle"
)

// statusPeriod is how often the status of a start is sent, if it has changed.
const statusPeriod = time.Second

// Manager is systemd, as the service sees it.
type Manager struct {
	log *logrus.Entry
	// alive fails, or does not return, if only a restart can mend the service.
	alive  func() error
	status func() string
	said   throttle.Lines

	ready, stop chan struct{}
	readyOnce   sync.Once
	ended       sync.WaitGroup
}

// Start begins to tell systemd the status, and that the service is alive as long as
// alive returns nil, within half of the unit's WatchdogSec. Its goroutine is ended by
// Close.
func Start(alive func() error, status func() string, log *logrus.Entry) *Manager {
	m := &Manager{log: log, alive: alive, status: status, ready: make(chan struct{}), stop: make(chan struct{})}
	first := oneLine(status())
	if sent := m.send("STATUS=" + first); !sent {
		return m
	}
	watchdog, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		log.WithError(err).Warn("systemd's WATCHDOG_USEC cannot be read: it is not told that zkine is alive")
	}
	m.ended.Go(func() { m.loop(watchdog, first) })
	return m
}

// Ready says that clients are served. It may be called again.
func (m *Manager) Ready() {
	m.readyOnce.Do(func() {
		m.send(daemon.SdNotifyReady + "\nSTATUS=serving etcd clients")
		close(m.ready)
	})
}

// Stopping says that the service begins to stop.
func (m *Manager) Stopping() { m.send(daemon.SdNotifyStopping + "\nSTATUS=stopping") }

// Close ends the goroutine of Start. It is for the end of the process: systemd hears
// nothing more.
func (m *Manager) Close() {
	close(m.stop)
	m.ended.Wait()
}

// loop tells the status until the service is ready, if it is another than the last one,
// and that it is alive, always.
func (m *Manager) loop(watchdog time.Duration, last string) {
	status := time.NewTicker(statusPeriod)
	defer status.Stop()
	var beat <-chan time.Time
	if watchdog > 0 {
		t := time.NewTicker(watchdog / 3)
		defer t.Stop()
		beat = t.C
	}
	ready := m.ready
	for {
		select {
		case <-m.stop:
			return
		case <-ready:
			status.Stop()
			ready = nil
		case <-status.C:
			if now := oneLine(m.status()); now != last {
				last = now
				m.send("STATUS=" + now)
			}
		case <-beat:
			if err := m.alive(); err != nil {
				m.log.WithError(err).Error("zkine is not alive; systemd is not told that it is, and will start it again")
				continue
			}
			m.send(daemon.SdNotifyWatchdog)
		}
	}
}

// send is false if there is no systemd to tell.
func (m *Manager) send(state string) bool {
	sent, err := daemon.SdNotify(false, state)
	if err != nil {
		if left, ok := m.said.Allow("send"); ok { // it may be told each second
			m.log.WithError(err).Warn("systemd cannot be told: " + oneLine(state) + left)
		}
	}
	return sent
}

func oneLine(text string) string { return strings.ReplaceAll(text, "\n", " ") }
