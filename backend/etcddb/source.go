package etcddb

import (
	"errors"

	"github.com/zkine/zkine/backend/state"
)

// Source is where views come from. Its functions may be called by any goroutine.
type Source struct {
	// View is the newest view.
	View func() *state.View
	// Failure is why no view may be shown; nil while one may.
	Failure func() error
}

// Show calls f with the newest view, and again with a newer one if what f needed
// of the first was compacted away before f had read it. It returns f's error, or
// Failure's.
func (s Source) Show(f func(*state.View) error) error {
	for {
		if err := s.Failure(); err != nil {
			return err
		}
		v := s.View()
		err := f(v)
		if !errors.Is(err, state.ErrCompacted) || s.View().CompactRev() == v.CompactRev() {
			return err
		}
	}
}
