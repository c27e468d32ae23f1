package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/sirupsen/logrus"
)

// errStopped is the cause of a context that a signal ended.
var errStopped = errors.New("stopped by a signal")

// sameSignal is how soon after the first one a signal still counts as the same:
// timeout, for one, signals its child and then the child's process group.
const sameSignal = 500 * time.Millisecond

// onSignals returns a context that the first SIGINT, SIGTERM or SIGHUP ends
// with errStopped. A second signal ends the process at once, and with it, on
// Linux, the local ZooKeeper. stop ends all that.
func onSignals(log *logrus.Entry) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // nohup
		signal.Notify(signals, syscall.SIGHUP)
	}
	done := make(chan struct{})
	go func() {
		var first time.Time
		for {
			select {
			case s := <-signals:
				switch {
				case first.IsZero():
					first = time.Now()
					log.Infof("stopping after %v; a second one ends zkine at once", s)
					cancel(errStopped)
				case time.Since(first) > sameSignal:
					log.Warnf("ended by a second signal, %v, before everything was stopped", s)
					os.Exit(128 + int(s.(syscall.Signal)))
				}
			case <-done:
				return
			}
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(done)
		cancel(nil)
	}
}
