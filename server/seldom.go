package server

import (
	"sync"
	"time"
)

const (
	// seldomPeriod is how long the same text is not said again.
	seldomPeriod = 10 * time.Second
	// seldomTexts bounds what is remembered, since clients can make texts up.
	seldomTexts = 64
)

// seldom keeps the log from saying the same thing over and over.
type seldom struct {
	mu   sync.Mutex
	said map[string]time.Time
}

// now tells whether text may be said, and takes note of it.
func (s *seldom) now(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if last, ok := s.said[text]; ok && now.Sub(last) < seldomPeriod {
		return false
	}
	for old, last := range s.said {
		if now.Sub(last) >= seldomPeriod {
			delete(s.said, old)
		}
	}
	if len(s.said) >= seldomTexts {
		return false
	}
	if s.said == nil {
		s.said = make(map[string]time.Time)
	}
	s.said[text] = now
	return true
}
