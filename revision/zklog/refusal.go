package zklog

import (
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/zkine/zkine/revision/throttle"
	"github.com/zkine/zkine/revision/zkclient"
)

// refusal is what ZooKeeper refuses writes with at present: a quota that is used
// up, say. While it does, one append now and then asks whether it still does;
// the others are refused here, at once, so that ZooKeeper has no work with them
// and clients need not wait.
type refusal struct {
	mu    sync.Mutex
	err   error // nil while nothing is refused
	pause zkclient.Backoff
	next  time.Time // when an append may ask again
	// told says that the log has it. A quota that small writes fit below and large ones
	// do not is refused and passed in turns.
	told bool
	said throttle.Lines
}

// admit lets an append through, or says why not.
func (r *refusal) admit() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if r.err == nil {
		return nil
	}
	if now.Before(r.next) {
		return r.err
	}
	r.next = now.Add(r.pause.Next()) // others wait for the outcome
	return nil
}

// refused notes that an append was; it says whether that is to be told, and how much was
// left out.
func (r *refusal) refused(err error) (left string, tell bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err, r.next = err, time.Now().Add(r.pause.Next())
	if r.told {
		return "", false
	}
	left, r.told = r.said.Allow("refused")
	return left, r.told
}

// passed notes that an append was not refused; it says whether it was told that one was.
func (r *refusal) passed() (tell bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	tell = r.told
	r.err, r.told = nil, false
	return tell
}

func (r *refusal) current() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// Refused implements backend.Log.
func (l *Log) Refused() error {
	if err := l.session.Unauthenticated(); err != nil {
		return err
	}
	return l.refusal.current()
}

// refusedWrite notes that ZooKeeper refused a write, and says so in the log.
func (r *refusal) refusedWrite(log *logrus.Entry, err error) {
	if left, tell := r.refused(err); tell {
		log.WithError(err).Error("ZooKeeper refuses writes; reads go on, clients that write are told, and zkine goes on by itself once it may" + left)
	}
}

// passedWrite notes that ZooKeeper took a write, and says so in the log if it
// refused them before.
func (r *refusal) passedWrite(log *logrus.Entry) {
	if r.current() != nil && r.passed() {
		log.Info("ZooKeeper takes writes again")
	}
}
