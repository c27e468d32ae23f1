package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"
)

// errStopped is the cause of a context that a signal ended, which is a stopped.
var errStopped = errors.New("stopped by a signal")

// stopped is errStopped with the signal.
type stopped struct{ by syscall.Signal }

func (s stopped) Error() string { return "stopped by a signal: " + s.by.String() }

// Is makes it errStopped.
func (s stopped) Is(target error) bool { return target == errStopped }

// exitCode is what a shell has for a program that a signal ended: 130 for SIGINT, 143 for SIGTERM.
func (s stopped) exitCode() int { return 128 + int(s.by) }

// stoppable gives a command a context that a signal ends. What such a command returns then is told by stoppedBefore.
// A server, which a signal ends as it should, has its own.
func stoppable(cmd *cobra.Command, log *logrus.Entry) (stop func()) {
	ctx, stop := onSignals(log)
	cmd.SetContext(ctx)
	return stop
}

// stoppedBefore finds out whether a command has failed because a signal came before its end, and says so. All commands
// end in the same way then: with the code of the signal, which no other end has, so that a script can tell a look that
// was given up from one that found something.
func stoppedBefore(cmd *cobra.Command, err error) (p *problem, exitCode int) {
	var s stopped
	if err == nil || cmd == nil || cmd.Context() == nil || !errors.As(context.Cause(cmd.Context()), &s) {
		return nil, 0
	}
	p = explain(err)
	if errors.Is(err, errStopped) || errors.Is(err, context.Canceled) {
		p = &problem{what: s.Error()}
	}
	if p.remedy == "" {
		p = &problem{thing: p.thing, what: p.what, remedy: "run it again"}
	}
	return p, s.exitCode()
}

// unlessStopped is the error of a look that a signal has cut short, which may have found nothing to complain of; nil if
// none has.
func unlessStopped(ctx context.Context) error {
	if cause := context.Cause(ctx); errors.Is(cause, errStopped) {
		return cause
	}
	return nil
}

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
					cancel(stopped{s.(syscall.Signal)})
				case time.Since(first) > sameSignal:
					log.Warnf("ended by a second signal, %v, before everything was stopped", s)
					os.Exit(stopped{s.(syscall.Signal)}.exitCode())
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
