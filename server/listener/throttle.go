package listener

import (
	"sync"
	"time"
)

const (
	// throttlePeriod is how long the same text is not said again.
	throttlePeriod = 10 * time.Second
	// throttleTexts bounds what is remembered, since clients can make texts up.
	throttleTexts = 64
)

// throttle keeps the log from saying the same thing over and over. The zero
// value is ready; its methods may be called at the same time.
type throttle struct {
	mu   sync.Mutex
	said map[string]time.Time
}

// allow says whether text may be logged now, and notes that it is.
func (t *throttle) allow(text string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if last, ok := t.said[text]; ok && now.Sub(last) < throttlePeriod {
		return false
	}
	for old, last := range t.said {
		if now.Sub(last) >= throttlePeriod {
			delete(t.said, old)
		}
	}
	if len(t.said) >= throttleTexts {
		return false
	}
	if t.said == nil {
		t.said = make(map[string]time.Time)
	}
	t.said[text] = now
	return true
}
