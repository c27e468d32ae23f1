package watch

import "time"

// Load is what the watches of a Hub have to do at a moment.
type Load struct {
	// Events is how many were handed out since the start, Unsent how many of these
	// were handed out last on their streams, and are not known to be sent.
	Events, Unsent int64
	// Due is how many watchers have events that were not handed out.
	Due int
	// Lag is for how long the first of these events, or of the unsent ones, has been
	// waiting, on the stream on which it has been longest.
	Lag time.Duration
}

// due is a watcher that has had something to pull since a moment.
type due struct {
	watcher *watcher
	since   time.Time
}

// Load looks at each stream.
func (h *Hub) Load() Load {
	now := time.Now()
	load := Load{Events: h.sent.Load()}
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.all {
		s.load(&load, now)
	}
	return load
}

// load adds what the stream has to do. The hub's lock is held.
func (s *stream) load(l *Load, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l.Due += len(s.due)
	l.Unsent += s.unsent
	oldest := s.unsentSince
	for _, one := range s.due {
		if oldest.IsZero() || one.since.Before(oldest) {
			oldest = one.since
		}
	}
	if !oldest.IsZero() {
		l.Lag = max(l.Lag, now.Sub(oldest))
	}
}

// sending notes that events were handed out which have been waiting since a moment.
// They count as sent when the next response is asked for.
func (s *stream) sending(events int, since time.Time) {
	s.hub.sent.Add(int64(events))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unsent, s.unsentSince = int64(events), since
}
