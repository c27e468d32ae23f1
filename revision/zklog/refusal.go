package zklog

import (
	"sync"
	"time"

	"github.com/sirupsen/logrus"

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

// refused notes that an append was; it says whether that is new.
func (r *refusal) refused(err error) (fresh bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fresh = r.err == nil
	r.err, r.next = err, time.Now().Add(r.pause.Next())
	return fresh
}

// passed notes that an append was not refused; it says whether one was before.
func (r *refusal) passed() (over bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	over = r.err != nil
	r.err = nil
	return over
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
	if r.refused(err) {
		log.WithError(err).Error("ZooKeeper refuses writes; reads go on, clients that write are told, and zkine goes on by itself once it may")
	}
}

// passedWrite notes that ZooKeeper took a write, and says so in the log if it
// refused them before.
func (r *refusal) passedWrite(log *logrus.Entry) {
	if r.current() != nil && r.passed() {
		log.Info("ZooKeeper takes writes again")
	}
}
