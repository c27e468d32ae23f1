package main

import (
	"context"
	"io"
	"time"

	"github.com/sirupsen/logrus"
	"google.golang.org/grpc/grpclog"

	"github.com/zkine/zkine/revision/throttle"
	"github.com/zkine/zkine/revision/zkclient"
)

// newLogger makes the one logger of the process. level and format were checked.
func newLogger(out io.Writer, level, format string) *logrus.Entry {
	log := logrus.New()
	log.SetOutput(out)
	if l, err := logrus.ParseLevel(level); err == nil {
		log.SetLevel(l)
	}
	const stamp = "2006-01-02T15:04:05.000Z07:00"
	if format == "json" {
		log.SetFormatter(&logrus.JSONFormatter{TimestampFormat: stamp})
	} else {
		_, terminal := out.(*statusLine)
		log.SetFormatter(&logrus.TextFormatter{ForceColors: terminal, FullTimestamp: true, TimestampFormat: stamp})
	}
	return logrus.NewEntry(log)
}

// silenceGRPC drops gRPC's own log, which goes to stderr and is about clients
// that went away. What zkine needs to know comes back as errors. It has to be
// called before any other use of gRPC.
func silenceGRPC() {
	grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, io.Discard, io.Discard))
}

const (
	// slowStep is how long a step of the start may take without a line in the log.
	slowStep = 10 * time.Second
	// slowStepAgain is the time between the lines after the first.
	slowStepAgain = time.Minute
)

// logWhile logs from time to time that something still goes on, and how far it is,
// until the returned function is called.
func logWhile(log *logrus.Entry, what func() string) (done func()) {
	began := time.Now()
	ticker := time.NewTicker(slowStep)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				log.Infof("%s, for %v now", what(), time.Since(began).Round(time.Second))
				ticker.Reset(slowStepAgain)
			case <-stop:
				return
			}
		}
	}()
	return func() { close(stop); <-stopped }
}

// keepTrying does a step of the start until it succeeds, its error is final, or ctx
// ends, whose cause it returns then. In between it pauses, and now and then logs the
// error with text. A server that is out of reach ends no Dial: one whose answer is an
// error is for people to hear of.
func keepTrying(ctx context.Context, log *logrus.Entry, text string, step func() (final bool, err error)) error {
	var said throttle.Lines
	var pause zkclient.Backoff
	for {
		final, err := step()
		if err == nil || final {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if left, ok := said.Allow("again"); ok {
			log.WithError(err).Warn(text + left)
		}
		pause.Wait(ctx)
	}
}
