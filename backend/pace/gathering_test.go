package pace_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/backend/pace"
)

const tick = 40 * time.Microsecond

// arrivals says how many requests come at a time, given how many were answered when.
type arrivals func(now time.Time) int

// life lives through appends of one length, of which the second goes no sooner than
// pace.Spacing after the first.
type life struct {
	gathering pace.Gathering
	waiting   int
	held      bool        // they waited though they could have gone
	underWay  []batch     // the oldest first
	answers   []time.Time // of clients who have not come back
	now       time.Time
}

type batch struct {
	size        int
	gone, until time.Time
}

// run lives for a second, and returns which share of the requests went in appends that
// were held back.
func (l *life) run(takes time.Duration, come arrivals) float64 {
	held, all := 0, 0
	for end := l.now.Add(time.Second); l.now.Before(end); l.now = l.now.Add(tick) {
		l.waiting += come(l.now)
		l.answer()
		switch n := len(l.underWay); {
		case l.waiting == 0, n == 2, n == 1 && l.now.Sub(l.underWay[0].gone) < pace.Spacing:
		case l.gathering.Left(l.now, l.waiting) > 0:
			l.held = true
		default:
			l.gathering.Gone(l.now, l.waiting)
			l.underWay = append(l.underWay, batch{l.waiting, l.now, l.now.Add(takes)})
			if all += l.waiting; l.held {
				held += l.waiting
			}
			l.waiting, l.held = 0, false
		}
	}
	return float64(held) / float64(all)
}

func (l *life) answer() {
	for len(l.underWay) > 0 && !l.underWay[0].until.After(l.now) {
		for i := range l.underWay[0].size { // answers go out one after the other
			l.answers = append(l.answers, l.now.Add(time.Duration(i)*5*time.Microsecond))
		}
		l.gathering.Answered(l.now, l.underWay[0].size, l.waiting)
		l.underWay = l.underWay[1:]
	}
}

// loop is clients who come back as long after each answer.
func (l *life) loop(clients int, after time.Duration) arrivals {
	return func(now time.Time) int {
		came := clients // at first all
		clients = 0
		for len(l.answers) > 0 && !l.answers[0].Add(after).After(now) {
			l.answers = l.answers[1:]
			came++
		}
		return came
	}
}

// schedule is clients who come by themselves, so many in a second.
func (l *life) schedule(rate int) arrivals {
	began, sent := l.now, 0
	return func(now time.Time) int {
		l.answers = nil
		due := int(int64(rate) * int64(now.Sub(began)) / int64(time.Second))
		came := due - sent
		sent = due
		return came
	}
}

// TestClientsInALoopAreWaitedFor: where two appends are under way, one half of them may
// be there before it could go.
func TestClientsInALoopAreWaitedFor(t *testing.T) {
	for _, clients := range []int{10, 100, 400} {
		for _, takes := range []time.Duration{time.Millisecond, 3 * time.Millisecond, 10 * time.Millisecond} {
			for _, after := range []time.Duration{100 * time.Microsecond, 500 * time.Microsecond, time.Millisecond} {
				l := &life{now: time.Unix(0, 0)}
				require.Greater(t, l.run(takes, l.loop(clients, after)), 0.4, "%d clients, appends of %s, back after %s", clients, takes, after)
			}
		}
	}
}

// TestClientsOnAScheduleAreNotWaitedFor: nor after they were in a loop before, nor for
// good, since they may be in a loop later.
func TestClientsOnAScheduleAreNotWaitedFor(t *testing.T) {
	for _, rate := range []int{500, 2000, 5000, 20000} {
		for _, takes := range []time.Duration{time.Millisecond, 3 * time.Millisecond, 10 * time.Millisecond} {
			l := &life{now: time.Unix(0, 0)}
			l.run(takes, l.loop(100, 500*time.Microsecond))
			l.run(takes, l.schedule(rate))
			for range 6 {
				require.Less(t, l.run(takes, l.schedule(rate)), 0.02, "%d a second, appends of %s", rate, takes)
			}
			again := l.loop(100, 500*time.Microsecond)
			for range 8 {
				l.run(takes, again)
			}
			require.Greater(t, l.run(takes, again), 0.4, "in a loop again, appends of %s", takes)
		}
	}
}
