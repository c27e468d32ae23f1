package calllog

import (
	"sync"
	"time"

	"github.com/sirupsen/logrus"
)

const (
	// limitLines is how many slow requests are logged one by one in a period.
	limitLines  = 5
	limitPeriod = 10 * time.Second
)

// limit bounds what slow requests write into the log: when everything is
// slow, a line for each is of no use. At the end of a period one line tells of
// those that had none.
type limit struct {
	log *logrus.Entry

	mu     sync.Mutex
	period *time.Timer // nil before the first
	lines  int         // in this period, which begins with the first
	quiet  int         // requests without a line
	worst  time.Duration
	method string // of the worst
}

// admit says whether a request that took so long gets a line of its own.
func (l *limit) admit(method string, took time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lines == 0 {
		l.period = time.AfterFunc(limitPeriod, l.end)
	}
	if l.lines < limitLines {
		l.lines++
		return true
	}
	l.quiet++
	if took > l.worst {
		l.worst, l.method = took, method
	}
	return false
}

// close ends the period at once. No call is asked about after it.
func (l *limit) close() {
	l.mu.Lock()
	period := l.period
	l.mu.Unlock()
	if period != nil && period.Stop() {
		l.end()
	}
}

func (l *limit) end() {
	l.mu.Lock()
	quiet, worst, method := l.quiet, l.worst, l.method
	l.lines, l.quiet, l.worst, l.method = 0, 0, 0, ""
	l.mu.Unlock()
	if quiet > 0 {
		l.log.WithFields(logrus.Fields{"requests": quiet, "longest": worst.String(), "method": method}).
			Warnf("more slow requests than are logged one by one in %v", limitPeriod)
	}
}
