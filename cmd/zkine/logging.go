package main

import (
	"context"
	"io"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/spf13/pflag"
	"google.golang.org/grpc/grpclog"

	"github.com/zkine/zkine/cmd/zkine/logoutput"
	"github.com/zkine/zkine/revision/throttle"
	"github.com/zkine/zkine/revision/zkclient"
)

// loggingFlags are where the log goes, and how it looks. Names are etcd's.
type loggingFlags struct {
	level, format string
	to            logoutput.Config
}

func (l *loggingFlags) bind(f *pflag.FlagSet) {
	f.StringVar(&l.level, "log-level", "info", "the least `level` that is logged: debug, info, warn or error")
	f.StringVar(&l.format, "log-format", "text", "`format` of the log: text or json; console is text")
	f.StringSliceVar(&l.to.Outputs, "log-outputs", []string{logoutput.Default}, "where the log goes: stderr, stdout or `files`; default is stderr")
	f.BoolVar(&l.to.Rotate, "enable-log-rotation", false, "rotate the file of --log-outputs")
	f.StringVar(&l.to.Rotation, "log-rotation-config-json", logoutput.DefaultRotation, "how it is rotated: `JSON` with maxsize in MB, maxage in days, maxbackups, localtime and compress; 0 days or backups are no bound")
}

func (l *loggingFlags) check(v *checker) {
	v.oneOf("log-level", l.level, "debug", "info", "warn", "error", "panic", "fatal")
	v.oneOf("log-format", l.format, "text", "json", "console") // etcd's word for text
	if flag, err := l.to.Check(); err != nil {
		what, remedy, _ := parted(err)
		v.refuse(flag, what, remedy)
	}
}

// open opens the outputs; on status, if stderr is a terminal, the log stands above a
// bar.
func (l *loggingFlags) open(stderr, stdout io.Writer, status *statusLine) (*logrus.Entry, error) {
	if status != nil {
		stderr = status
	}
	out, err := l.to.Open(stderr, stdout)
	if err != nil {
		return nil, &problem{thing: "--log-outputs", what: oneLine(err.Error()), remedy: "name a file that zkine may write to, or stderr"}
	}
	return newLogger(out, l.level, l.format), nil
}

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
	return ticking(slowStep, func(ticker *time.Ticker) {
		log.Infof("%s, for %v now", what(), time.Since(began).Round(time.Second))
		ticker.Reset(slowStepAgain)
	})
}

// ticking calls tick once a period until the returned function is called, which waits
// for a call under way.
func ticking(period time.Duration, tick func(*time.Ticker)) (done func()) {
	ticker := time.NewTicker(period)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				tick(ticker)
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
