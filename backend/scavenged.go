package backend

import (
	"context"
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

// wait returns once the floor is at or above rev.
func (s *scavenged) wait(ctx context.Context, rev revision.Rev) error {
	for {
		s.mu.Lock()
		reached, changed := s.rev >= rev, s.changed
		s.mu.Unlock()
		if reached {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
