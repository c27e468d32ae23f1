package zkclient

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
)

// outage says what there is to say of a time without ZooKeeper: a line when it
// begins, one a minute with what has changed, and one when it is over. An
// interruption that is over before the first line is one line, afterwards.
type outage struct {
	log   *logrus.Entry
	alone bool // as Ensemble's

	mu       sync.Mutex
	attended bool              // a session begins and ends outages, else each Dial does
	began    time.Time         // zero while there is none
	cause    error             // why the session before was lost; nil if there was none
	said     time.Time         // when the last line of this outage was; zero before the first
	reasons  map[string]reason // by address; why it gives no session
	told     string            // state, as it was said last
	lines    sparing
}

// reason is why one server gives no session.
type reason struct {
	label string
	err   error
}

const (
	// sayAfter is how old an outage is when it is worth a line: an election is
	// over by then.
	sayAfter = 1200 * time.Millisecond
	// sayAnyway is how old it is when that is said without any server's reason: one
	// that keeps silent gives none until it is asked again, later with TLS.
	sayAnyway = 5 * time.Second
	// sayAgain is the time between two lines of one outage.
	sayAgain = time.Minute
)

// outage is that of a ZooKeeper's dials, and of its session.
func (z *Ensemble) outage() *outage {
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.out == nil {
		z.out = newOutage(z.Log)
		z.out.alone = z.Alone
	}
	return z.out
}

func newOutage(log *logrus.Entry) *outage {
	return &outage{log: log, reasons: map[string]reason{}}
}

// attend makes outages begin and end with a session's.
func (o *outage) attend() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.attended = true
}

// begin notes that there is no session that serves, and why.
func (o *outage) begin(cause error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.began.IsZero() {
		o.began = time.Now()
		clear(o.reasons)
	}
	if cause != nil {
		o.cause = cause
	}
}

// dialing is begin for a Dial that is no session's.
func (o *outage) dialing() {
	if o.mu.Lock(); o.attended {
		o.mu.Unlock()
		return
	}
	o.mu.Unlock()
	o.begin(nil)
}

// dialed is end for a Dial that is no session's.
func (o *outage) dialed(server string) {
	if o.mu.Lock(); o.attended {
		o.mu.Unlock()
		return
	}
	o.mu.Unlock()
	o.end("ZooKeeper answers: "+server, "")
}

// note keeps why a server gives no session; nil takes it back.
func (o *outage) note(key, label string, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err == nil {
		delete(o.reasons, key)
		return
	}
	o.reasons[key] = reason{label, err}
}

// due says what is due.
func (o *outage) due() {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	if o.began.IsZero() || now.Sub(o.began) < sayAfter {
		return
	}
	state := o.stateLocked()
	if o.said.IsZero() {
		if len(o.reasons) == 0 && now.Sub(o.began) < sayAnyway {
			return
		}
		if !o.lines.allow(now) {
			return
		}
		text := state
		if o.cause != nil {
			text = fmt.Sprintf("%s; %s", o.cause, state)
		}
		o.log.Warn(text + o.lines.left())
		o.said, o.told = now, state
		return
	}
	if now.Sub(o.said) < sayAgain {
		return
	}
	text := fmt.Sprintf("still without ZooKeeper, for %v now", now.Sub(o.began).Round(time.Second))
	if state != o.told {
		text += "; now " + state
	}
	o.log.Warn(text)
	o.said, o.told = now, state
}

// end notes that ZooKeeper serves: how tells where and since when, brief is
// what to say of an outage that was too short for a line; "" for nothing.
func (o *outage) end(how, brief string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.began.IsZero() {
		return
	}
	now := time.Now()
	lasted := now.Sub(o.began).Round(time.Millisecond)
	switch {
	case !o.said.IsZero():
		o.log.Infof("%s; it was away for %v", how, lasted)
	case brief != "" && o.lines.allow(now):
		o.log.Warn(brief + o.lines.left())
	case o.cause != nil && brief == "" && o.lines.allow(now):
		o.log.Warnf("%s; %s, %v later%s", o.cause, how, lasted, o.lines.left())
	}
	o.began, o.said, o.cause, o.told = time.Time{}, time.Time{}, nil, ""
	clear(o.reasons)
}

// forgive notes that a silent connection has answered after all.
func (o *outage) forgive(server string) {
	o.mu.Lock()
	if o.said.IsZero() {
		o.began, o.cause = time.Time{}, nil
	}
	o.mu.Unlock()
	o.end(server+" answers again", "")
}

// state tells why there is no session.
func (o *outage) state() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.stateLocked()
}

func (o *outage) stateLocked() string {
	by := map[string][]string{}
	reached, closes := 0, 0
	for _, r := range o.reasons {
		text := plainly(r.err)
		if !slices.Contains(by[text], r.label) {
			by[text] = append(by[text], r.label)
		}
		switch {
		case errors.Is(r.err, errClosesEarly), errors.Is(r.err, errUnproven):
			reached++
			closes++
		case errors.Is(r.err, errMute):
			reached++
		}
	}
	var parts []string
	for text, labels := range by {
		slices.Sort(labels)
		parts = append(parts, strings.Join(labels, ", ")+": "+text)
	}
	slices.Sort(parts)
	text := "no ZooKeeper server gives a session"
	if !o.alone && (closes > 0 || reached > 1) {
		text = "no quorum: " + text
	}
	if len(parts) > 0 {
		text += ": " + strings.Join(parts, "; ")
	}
	return text
}

// plainly says why a server cannot be had, without what differs each time.
func plainly(err error) string {
	if errors.Is(err, ErrTLS) {
		return err.Error()
	}
	for _, known := range []error{errClosesEarly, errUnproven, errMute, errUnreachable} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) {
		return errUnreachable.Error()
	}
	if call := new(os.SyscallError); errors.As(err, &call) {
		return call.Err.Error()
	}
	if op := new(net.OpError); errors.As(err, &op) && op.Err != nil {
		if op.Timeout() {
			return errUnreachable.Error()
		}
		return op.Err.Error()
	}
	return err.Error()
}

// sparing lets so many lines through at once, and later ones now and then.
type sparing struct {
	tokens  float64
	at      time.Time
	dropped int
}

const (
	sparingBurst = 10
	sparingEvery = 30 * time.Second
)

func (s *sparing) allow(now time.Time) bool {
	if s.at.IsZero() {
		s.tokens = sparingBurst
	} else {
		s.tokens = min(sparingBurst, s.tokens+float64(now.Sub(s.at))/float64(sparingEvery))
	}
	s.at = now
	if s.tokens < 1 {
		s.dropped++
		return false
	}
	s.tokens--
	return true
}

// left tells how many lines were kept back, once.
func (s *sparing) left() string {
	n := s.dropped
	s.dropped = 0
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" (%d lines like this one were left out)", n)
}
