package embedded

import (
	"fmt"
	"time"
)

// sayAgain is the time between two lines that say the same.
const sayAgain = time.Minute

// seldom keeps the log from saying one thing over and over. One goroutine uses it.
type seldom struct {
	said time.Time
	left int
}

// now tells whether it may be said, and in words to append how often it was not since it was said last.
func (s *seldom) now() (left string, ok bool) {
	if !s.said.IsZero() && time.Since(s.said) < sayAgain {
		s.left++
		return "", false
	}
	if s.left > 0 {
		left = fmt.Sprintf(" (and %d times before)", s.left)
	}
	s.said, s.left = time.Now(), 0
	return left, true
}
