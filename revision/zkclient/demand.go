package zkclient

import (
	"errors"

	"github.com/zkine/zkine/revision"
)

// A server that demands to know who asks may grant a session all the same, and
// ends it with its answer to the first request. So what tells is a row of
// verifications that ended so.

// note notes why a connection could not be used, and returns it. The answer of a
// server that demands authentication may get lost with the connection, which it
// ends at once: then the reason is still the one before.
func (s *Session) note(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.demands > 0 && CodeOf(err) == nil {
		err = s.lastErr
	}
	s.lastErr = err
	if errors.Is(err, revision.ErrUnauthenticated) {
		s.demands++
	} else {
		s.demands = 0
	}
	if s.Noted != nil {
		s.Noted(err)
	}
	return err
}

// manyDemands is after how many verifications in a row that a server has ended since
// it demands authentication zkine no longer hopes for another server.
const manyDemands = 4

// Unauthenticated is why there will be no session until a person changes something; nil
// while there is one, or hope.
func (s *Session) Unauthenticated() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == nil && s.demands >= manyDemands && errors.Is(s.lastErr, revision.ErrUnauthenticated) {
		return s.lastErr
	}
	return nil
}
