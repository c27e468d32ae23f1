package simulation

import (
	"errors"
	"time"

	"github.com/zkine/zkine/revision"
)

// attempt is a batch that a zkine gave to the log, and what the log said became
// of it. Its fields are under the truth's lock until the world is over.
type attempt struct {
	who   *life
	began time.Duration
	// at is where it was said to be; the zero Seq if nothing was said.
	at revision.Seq
	// refused says that it was said not to be in the log, and never to be.
	refused error
}

// appending notes that a batch is about to be sent.
func (t *truth) appending(l *life, batch *revision.Batch) *attempt {
	t.mu.Lock()
	defer t.mu.Unlock()
	a := &attempt{who: l, began: t.w.now()}
	t.attempts[batch.Nonce] = a
	return a
}

// appended notes what the log said of it.
func (t *truth) appended(a *attempt, out revision.Appended, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case err == nil:
		a.at = out.Seq
	case !errors.Is(err, revision.ErrUnknown):
		a.refused = err
	}
}
