package backend

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision"
)

// TestClosedPendingIsUnknown closes for a reason that would be a definite answer:
// what was handed to the log before may be in it, what comes later is not.
func TestClosedPendingIsUnknown(t *testing.T) {
	p := newPending()
	sent := &proposal{done: make(chan outcome, 1)}
	require.NoError(t, p.add(revision.NewNonce(), []*proposal{sent}))
	p.close(revision.ErrCorrupt)
	o := <-sent.done
	require.ErrorIs(t, o.err, revision.ErrUnknown)
	require.ErrorIs(t, o.err, revision.ErrCorrupt)
	err := p.add(revision.NewNonce(), []*proposal{sent})
	require.ErrorIs(t, err, revision.ErrCorrupt)
	require.NotErrorIs(t, err, revision.ErrUnknown)
}
