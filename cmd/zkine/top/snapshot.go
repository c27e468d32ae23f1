package top

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/zkine/zkine/server/observe"
	"github.com/zkine/zkine/server/usage"
)

// Snapshot is what is known of a cluster at a moment.
type Snapshot struct {
	At time.Time `json:"at"`
	// Usage is the sum of all members that told.
	Usage usage.Report `json:"usage"`
	// Members are all of the list of members, and endpoints that did not answer.
	Members []Member `json:"members"`
	// Ensemble is what the servers told the first member that was asked. EnsembleError is
	// why nothing is known of them.
	Ensemble      []observe.Server `json:"ensemble"`
	EnsembleError string           `json:"ensemble_error,omitempty"`
}

// Member is a member, and how it was asked.
type Member struct {
	observe.Member
	// Endpoint is where it was asked. Error is why it did not tell: then no more than its
	// name and id are known, if those are.
	Endpoint string `json:"endpoint"`
	Error    string `json:"error,omitempty"`
	// LagRevisions are how many revisions it is behind the first one, of those that were
	// asked at about the same time.
	LagRevisions int64 `json:"lag_revisions"`
}

// told is how many members have told.
func (s *Snapshot) told() (n int) {
	for i := range s.Members {
		if s.Members[i].Error == "" {
			n++
		}
	}
	return n
}

// Problem is why nothing is known: nil if a member has told.
func (s *Snapshot) Problem() error {
	if s.told() > 0 {
		return nil
	}
	if len(s.Members) == 0 {
		return ErrSilent
	}
	return fmt.Errorf("%w: %s", ErrSilent, s.Members[0].Error)
}

// ErrSilent is that no member has told anything.
var ErrSilent = errors.New("no member tells what it does")

// Text is what the page would show, for a width and as many lines as there are.
func (s *Snapshot) Text(width int) string {
	v := &view{now: s, order: orders[0]}
	height := 40 + len(s.Members) + len(s.Ensemble) + len(s.Usage.Prefixes) + len(s.Usage.Clients)
	lines := v.lines(width, height)
	var b strings.Builder
	for _, l := range lines[:len(lines)-1] { // without the keys
		b.WriteString(l.String() + "\n")
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}
