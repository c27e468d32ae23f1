package main

import (
	"strings"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/zkine/zkine/backend"
)

const (
	barWidth = 30
	// barPeriod is how often the bar is drawn; barDelay is how long a start may
	// take without one.
	barPeriod = 100 * time.Millisecond
	barDelay  = 500 * time.Millisecond
)

func bar(p backend.Progress) string {
	full := int(p.Fraction() * barWidth)
	return "[" + strings.Repeat("#", full) + strings.Repeat(" ", barWidth-full) + "] " + p.String()
}

// showStartup shows how far a start has come until the returned function is
// called: as a bar if there is a status line, else with a line in the log every
// 10 s.
func showStartup(log *logrus.Entry, status *statusLine, starting *backend.Startup) (done func()) {
	period := slowStep
	if status != nil {
		period = barPeriod
	}
	began := time.Now()
	ticker := time.NewTicker(period)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				switch p := starting.Progress(); {
				case status == nil:
					log.Info(p.String())
				case time.Since(began) >= barDelay:
					status.show(bar(p))
				}
			case <-stop:
				if status != nil {
					status.show("")
				}
				return
			}
		}
	}()
	return func() { close(stop); <-stopped }
}
