package token

import (
	"crypto/rand"
	"strconv"
	"strings"
	"sync"
	"time"
)

// DefaultTTL is how long a token lasts after its last use: etcd's figure.
const DefaultTTL = 5 * time.Minute

// sweepEvery is how often tokens that have ended are removed.
const sweepEvery = time.Minute

// Simple are the simple tokens that this zkine knows. They may be used from any
// goroutine.
type Simple struct {
	ttl time.Duration
	now func() time.Time

	mu     sync.Mutex
	tokens map[string]*held
	swept  time.Time
}

type held struct {
	user string
	ends time.Time
}

// NewSimple is an empty set of tokens that last for ttl after their last use; 0
// is DefaultTTL.
func NewSimple(ttl time.Duration) *Simple {
	if ttl <= 0 {
		ttl = DefaultTTL
	}
	return &Simple{ttl: ttl, now: time.Now, tokens: make(map[string]*held)}
}

// Random is what a new simple token begins with: 130 bits, as letters and
// digits.
func Random() string { return rand.Text() }

// Index is the place in the log that granted a simple token, which is the number
// after the dot. It is false for what is no simple token.
func Index(token string) (uint64, bool) {
	_, index, found := strings.Cut(token, ".")
	n, err := strconv.ParseUint(index, 10, 64)
	return n, found && err == nil
}

// Grant makes the token stand for the user.
func (s *Simple) Grant(token, user string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if now.Sub(s.swept) >= sweepEvery {
		s.swept = now
		for t, h := range s.tokens {
			if now.After(h.ends) {
				delete(s.tokens, t)
			}
		}
	}
	s.tokens[token] = &held{user: user, ends: now.Add(s.ttl)}
}

// User is the user that the token stands for. It does so for another TTL from now
// on.
func (s *Simple) User(token string) (user string, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.tokens[token]
	if h == nil {
		return "", false
	}
	now := s.now()
	if now.After(h.ends) {
		delete(s.tokens, token)
		return "", false
	}
	h.ends = now.Add(s.ttl)
	return h.user, true
}

// Invalidate forgets all tokens of a user.
func (s *Simple) Invalidate(user string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for t, h := range s.tokens {
		if h.user == user {
			delete(s.tokens, t)
		}
	}
}

// Clear forgets all tokens.
func (s *Simple) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.tokens)
}
