// Package throttle keeps a log small. A line that is due again within a period is
// left out and counted; a text that a client has given is cut short.
//
// It imports nothing but the standard library. Packages of all layers import it; it
// lies in the lowest one so that they may.
package throttle

import (
	"fmt"
	"sync"
	"time"
)

// DefaultPeriod is how long a line is not repeated, unless Lines says otherwise.
const DefaultPeriod = time.Minute

// Lines decides which lines are written. Each kind of line has a key. The zero
// value is ready; several goroutines may use it.
type Lines struct {
	// Period is how long a line is not repeated; 0 is DefaultPeriod.
	Period time.Duration
	// MaxKeys bounds the keys of one period, where clients can make keys up. A
	// line with one key more is left out. 0 is for a fixed set of keys, each of
	// which is remembered for good.
	MaxKeys int

	mu   sync.Mutex
	keys map[string]*line
}

// line is what is known of one key.
type line struct {
	written time.Time
	left    int // lines that were left out since
}

// Allow says whether the line with a key is to be written now. If so, left tells
// in words to append how many were left out since the last one; it is empty if
// none was.
func (l *Lines) Allow(key string) (left string, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	known := l.keys[key]
	if known != nil && now.Sub(known.written) < l.period() {
		known.left++
		return "", false
	}
	if known == nil {
		if !l.hasRoom(now) {
			return "", false
		}
		known = &line{}
		l.keys[key] = known
	}
	if known.left > 0 {
		left = fmt.Sprintf(" (and %d times before)", known.left)
	}
	known.written, known.left = now, 0
	return left, true
}

func (l *Lines) period() time.Duration {
	if l.Period == 0 {
		return DefaultPeriod
	}
	return l.Period
}

// hasRoom makes room for one key more, if that is possible.
func (l *Lines) hasRoom(now time.Time) bool {
	if l.keys == nil {
		l.keys = map[string]*line{}
	}
	if l.MaxKeys == 0 || len(l.keys) < l.MaxKeys {
		return true
	}
	for key, old := range l.keys {
		if now.Sub(old.written) >= l.period() {
			delete(l.keys, key)
		}
	}
	return len(l.keys) < l.MaxKeys
}
