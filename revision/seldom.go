package revision

import (
	"fmt"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
)

// seldom keeps the log from saying the same thing over and over: once a minute
// is enough. There are few things, each with a key.
type seldom struct {
	mu   sync.Mutex
	said map[string]time.Time
	left map[string]int
}

// now tells whether a thing may be said, and how often it was not since it was
// said last, in words to append.
func (s *seldom) now(key string) (left string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if last, said := s.said[key]; said && now.Sub(last) < sayAgain {
		s.left[key]++
		return "", false
	}
	if s.said == nil {
		s.said, s.left = map[string]time.Time{}, map[string]int{}
	}
	if n := s.left[key]; n > 0 {
		left = fmt.Sprintf(" (and %d times before)", n)
	}
	s.said[key] = now
	delete(s.left, key)
	return left, true
}

// trouble logs an answer of ZooKeeper's that makes zkine try again. Codes that
// zkine does not know are of one kind.
func (s *seldom) trouble(log *logrus.Entry, code *keeperCode, err error) {
	if left, ok := s.now("code " + code.name); ok {
		log.WithError(err).Warn("ZooKeeper does not do what zkine asks; trying again" + left)
	}
}
