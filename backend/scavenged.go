package backend

import (
	"sync"

	"github.com/zkine/zkine/revision"
)

// scavenged is the compaction floor down to which memory was given back, and
// who waits for it to rise.
type scavenged struct {
	mu  sync.Mutex
	rev revision.Rev
	// changed is closed and replaced when rev rises.
	changed chan struct{}
}

func (s *scavenged) floor() revision.Rev {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rev
}

func (s *scavenged) reached(rev revision.Rev) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if rev > s.rev {
		s.rev = rev
		close(s.changed)
		s.changed = make(chan struct{})
	}
}

// look says whether the floor is at or above rev, and what is closed when it
// rises.
func (s *scavenged) look(rev revision.Rev) (reached bool, changed <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rev >= rev, s.changed
}
