package pace_test

import (
	"container/heap"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/backend/pace"
)

const (
	tick = 40 * time.Microsecond
	seed = 1
)

// life lives through appends, of which the second goes no sooner than pace.Spacing after
// the first.
type life struct {
	random    *rand.Rand
	gathering pace.Gathering
	never     bool          // nobody is waited for
	takes     time.Duration // an append, as a rule
	most      int           // requests that an append takes; 0 if all
	waiting   []time.Time   // since when
	underWay  []batch       // the oldest first
	answers   moments       // after which clients of a loop come back
	now       time.Time
}

type batch struct {
	size        int
	gone, until time.Time
}

// lived is what became of the requests of a second.
type lived struct {
	requests int
	together int           // with how many others a request went, of all
	waited   time.Duration // until they went, all of them
}

func (l lived) meanTogether() float64   { return float64(l.together) / float64(l.requests) }
func (l lived) meanWait() time.Duration { return l.waited / time.Duration(l.requests) }

func begin(seed uint64, takes time.Duration) *life {
	return &life{random: rand.New(rand.NewPCG(seed, 0)), now: time.Unix(0, 0), takes: takes}
}

// about is a time of that length: half of it to one and a half times.
func (l *life) about(d time.Duration) time.Duration {
	return d/2 + time.Duration(l.random.Int64N(int64(d)))
}

// run lives for a second. come says how many requests come at a time, and answered is
// told of each that was answered.
func (l *life) run(come func() int, answered func(requests int)) (r lived) {
	for end := l.now.Add(time.Second); l.now.Before(end); l.now = l.now.Add(tick) {
		for range come() {
			l.waiting = append(l.waiting, l.now)
		}
		for len(l.underWay) > 0 && !l.underWay[0].until.After(l.now) {
			l.gathering.Answered(l.now, l.underWay[0].gone, l.underWay[0].size, len(l.waiting))
			answered(l.underWay[0].size)
			l.underWay = l.underWay[1:]
		}
		switch n := len(l.underWay); {
		case len(l.waiting) == 0, n == 2, n == 1 && l.now.Sub(l.underWay[0].gone) < pace.Spacing:
		case !l.never && l.gathering.Left(l.now, len(l.waiting)) > 0:
		default:
			l.depart(&r)
		}
	}
	return r
}

func (l *life) depart(r *lived) {
	n := len(l.waiting)
	if l.most > 0 {
		n = min(n, l.most)
	}
	l.gathering.Gone(l.now, len(l.waiting), len(l.waiting)-n)
	until := l.now.Add(l.about(l.takes))
	if len(l.underWay) > 0 && until.Before(l.underWay[0].until) {
		until = l.underWay[0].until // ZooKeeper answers in turn
	}
	l.underWay = append(l.underWay, batch{n, l.now, until})
	r.requests += n
	r.together += n * n
	for _, since := range l.waiting[:n] {
		r.waited += l.now.Sub(since)
	}
	l.waiting = l.waiting[n:]
}

// loop is a second of clients of whom each comes back so long after its answer. Answers
// go out one after the other, so long apart.
func (l *life) loop(clients int, after, each time.Duration) lived {
	for range clients {
		heap.Push(&l.answers, l.now)
	}
	defer func() { l.answers, l.waiting, l.underWay = nil, nil, nil }()
	l.loopOn(after, each)
	return l.loopOn(after, each)
}

func (l *life) loopOn(after, each time.Duration) lived {
	return l.run(func() (came int) {
		for len(l.answers) > 0 && !l.answers[0].After(l.now) {
			heap.Pop(&l.answers)
			came++
		}
		return came
	}, func(requests int) {
		for i := range requests {
			heap.Push(&l.answers, l.now.Add(time.Duration(i)*each+l.about(after)))
		}
	})
}

// schedule is a second of clients who come by themselves, so many in it.
func (l *life) schedule(rate int) lived {
	next := l.now
	return l.run(func() (came int) {
		for ; !next.After(l.now); came++ {
			next = next.Add(time.Duration(l.random.ExpFloat64() / float64(rate) * float64(time.Second)))
		}
		return came
	}, func(int) {})
}

type moments []time.Time

func (m moments) Len() int           { return len(m) }
func (m moments) Less(i, j int) bool { return m[i].Before(m[j]) }
func (m moments) Swap(i, j int)      { m[i], m[j] = m[j], m[i] }
func (m *moments) Push(x any)        { *m = append(*m, x.(time.Time)) }
func (m *moments) Pop() any {
	last := (*m)[len(*m)-1]
	*m = (*m)[:len(*m)-1]
	return last
}

var lengths = []time.Duration{time.Millisecond, 3 * time.Millisecond, 6 * time.Millisecond, 10 * time.Millisecond}

// TestClientsInALoopGoTogether: most of them, also where two appends are under way. Those
// who take longer than some appends to come back are not waited for.
func TestClientsInALoopGoTogether(t *testing.T) {
	for _, of := range []struct {
		clients int
		each    time.Duration
	}{{10, 5 * time.Microsecond}, {10, 40 * time.Microsecond}, {100, 5 * time.Microsecond}, {100, 40 * time.Microsecond}, {400, 5 * time.Microsecond}} {
		for _, takes := range lengths {
			for _, after := range []time.Duration{100 * time.Microsecond, 500 * time.Microsecond, time.Millisecond} {
				if time.Duration(of.clients)*of.each+2*after > 3*takes {
					continue
				}
				r := begin(seed, takes).loop(of.clients, after, of.each)
				require.Greater(t, r.meanTogether(), 0.6*float64(of.clients), "%d clients, appends of %s, back %s after answers %s apart", of.clients, takes, after, of.each)
			}
		}
	}
}

// TestClientsOnAScheduleAreNotWaitedFor: nor if they were in a loop before, nor for good,
// since they may be in a loop later.
func TestClientsOnAScheduleAreNotWaitedFor(t *testing.T) {
	for _, rate := range []int{500, 2000, 10_000} {
		for _, takes := range lengths {
			l := begin(seed, takes)
			l.loop(100, 500*time.Microsecond, 5*time.Microsecond)
			l.schedule(rate)
			waited := l.schedule(rate).meanWait()

			never := begin(seed, takes)
			never.never = true
			require.Less(t, waited, never.schedule(rate).meanWait()*3/2+200*time.Microsecond, "%d a second, appends of %s", rate, takes)

			l.loop(100, 500*time.Microsecond, 5*time.Microsecond)
			again := l.loop(100, 500*time.Microsecond, 5*time.Microsecond)
			require.Greater(t, again.meanTogether(), 60.0, "in a loop again, appends of %s", takes)
		}
	}
}

// TestAppendsThatTakeFewAreNotInVain: those who are left waiting are not new.
func TestAppendsThatTakeFewAreNotInVain(t *testing.T) {
	l := begin(seed, 3*time.Millisecond)
	l.most = 12
	require.Less(t, l.loop(100, 500*time.Microsecond, 5*time.Microsecond).meanTogether(), 13.0)
	l.gathering.Answered(l.now, l.now.Add(-time.Millisecond), 10, 0)
	require.Positive(t, l.gathering.Left(l.now, 1))
}

// TestThoseWhoAreBackAreNotNew: a batch that could not be sent waits again.
func TestThoseWhoAreBackAreNotNew(t *testing.T) {
	var g pace.Gathering
	now := time.Unix(0, 0)
	for range 5 {
		sent := now
		now = now.Add(3 * time.Millisecond)
		g.Answered(now, sent, 10, 0)
		require.Positive(t, g.Left(now, 1))
		now = now.Add(time.Millisecond)
		require.Zero(t, g.Left(now, 10))
		g.Gone(now, 10, 0)
		g.Back(10)
		g.Gone(now, 10, 0)
	}
}
