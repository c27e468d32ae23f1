package identity

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/zkine/zkine/revision/throttle"
)

// openFile opens a file that is read again at each connection. A pipe is none: to
// open one waits for its writer, and no signal ends that. Errors: those of os, and
// that it is no file.
func openFile(name string) (*os.File, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file, and it is read more than once; write what it holds to one", name)
	}
	return os.Open(name)
}

// errTooLarge says that a file is larger than makes sense.
var errTooLarge = errors.New("too large")

// readBounded reads all of r, if that is most bytes or less. Errors: errTooLarge,
// r's.
func readBounded(r io.Reader, most int64) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, most+1))
	if err == nil && int64(len(text)) > most {
		return nil, errTooLarge
	}
	return text, err
}

const (
	// reportPeriod is the time between two lines about the same fault, of at most
	// maxReports faults.
	reportPeriod = time.Minute
	maxReports   = 16
)

// kept is what files hold now, or what they held last while they cannot be used.
type kept[T any] struct {
	load func() (T, error)
	// fault is what is logged of files that cannot be used.
	fault string
	log   *logrus.Entry

	mu      sync.Mutex
	current T
	reports throttle.Lines
}

// keep reads files for the first time. Errors: load's.
func keep[T any](load func() (T, error), fault string, log *logrus.Entry) (*kept[T], error) {
	current, err := load()
	if err != nil {
		return nil, err
	}
	return &kept[T]{load: load, fault: fault, log: log, current: current, reports: throttle.Lines{Period: reportPeriod, MaxKeys: maxReports}}, nil
}

// now reads the files again. What it returns is shared.
func (k *kept[T]) now() T {
	k.mu.Lock()
	defer k.mu.Unlock()
	loaded, err := k.load()
	if err == nil {
		k.current = loaded
	} else if left, ok := k.reports.Allow(err.Error()); ok {
		k.log.WithError(err).Error(k.fault + left)
	}
	return k.current
}
