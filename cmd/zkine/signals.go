package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"

	"github.com/sirupsen/logrus"
)

// errStopped is the cause of a context that a signal ended.
var errStopped = errors.New("stopped by a signal")

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
		select {
		case s := <-signals:
			log.Infof("stopping after %v; a second one ends zkine at once", s)
			cancel(errStopped)
		case <-done:
			return
		}
		select {
		case s := <-signals:
			log.Warnf("ended by a second signal, %v, before everything was stopped", s)
			os.Exit(128 + int(s.(syscall.Signal)))
		case <-done:
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(done)
		cancel(nil)
	}
}
