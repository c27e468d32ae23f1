package backend

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// well is a log with nothing in the way.
type well struct{ Info }

func (well) Connected() error     { return nil }
func (well) Owing() time.Duration { return 0 }

// A call that looked before an outage, and goes on after another one has proven its end,
// does not bring the doubt back.
func TestAnOldProofDoesNotBringADoubtBack(t *testing.T) {
	var s *serving
	between := func() {}
	s = newServing(well{}, func() error { between(); return nil }, nil, nil)
	s.doubts.Store(5)
	between = func() {
		s.doubts.Store(6)
		s.proven.Store(6)
	}
	s.served()
	between = func() {}
	require.NoError(t, s.ready())
	s.doubts.Store(7)
	require.ErrorIs(t, s.ready(), errUnproven)
	s.served()
	require.NoError(t, s.ready())
}
