package pace

import (
	"slices"
	"time"
)

const (
	// longest bounds how long after an answer anyone waits for others; so do appends times
	// what it took to get that answer, or longestEach for each who is expected if that is
	// more: so long it takes until many are answered and back.
	longest     = 8 * time.Millisecond
	longestEach = 60 * time.Microsecond
	appends     = 4
	// away is how long who was answered may come back.
	away = 3 * longest
	// silence bounds how long after the last one of them came, and silenceEach is added
	// for each that was answered: answers go out one after the other, and where
	// processors are short the next request comes when they all have.
	silence     = 2 * time.Millisecond
	silenceEach = 40 * time.Microsecond
	// fewest is how many must come together for it to pay that any of them waits.
	fewest = 4
	// likeness is how many times as quickly clients may come while a gathering lasts as
	// strangers come while it is under way, for them to be strangers as well.
	likeness = 3
	// patience is how many gatherings may be in vain before four are left out, and twice
	// as many with each other one. After hopeless of them it is 512: a second or so of
	// appends.
	patience, hopeless = 4, 11
)

// Gathering waits for those who have just been answered, and are likely to ask
// again: clients in a loop, who write or read as fast as they are answered. So they
// go together, and not in two halves of which one waits for the other. Clients who
// come by themselves do not come so soon, or come while an append is under way as they
// did before; either shows, and then most gatherings are left out. It has no lock of its
// own; its zero value is ready.
type Gathering struct {
	expected int           // who are likely to wait soon; 0 if no gathering is under way
	until    time.Time     // when they are not waited for any longer
	silence  time.Duration // after which no client is waited for
	began    time.Time
	before   int // how many waited when it began
	// seen is how many waited when that was looked at last, or were left then, and grown
	// is when it grew.
	seen  int
	grown time.Time
	// out are those who were answered and have not come back, the earliest first. Who
	// comes in addition is a stranger.
	out       []answered
	strangers int
	// vain grows with each gathering in vain, and each other one halves it; rest is how
	// many are to be left out.
	vain, rest int
	full       full
}

// answered are some who were answered at the same time.
type answered struct {
	at time.Time
	n  int
}

// full is a gathering to which all came who were expected, and which is under way.
type full struct {
	gathered int // who came while it lasted; 0 if there is none
	took     time.Duration
	gone     time.Time
}

// Answered begins a gathering: so many were answered now, of an append or a barrier
// that was sent at a moment, and so many wait. An eighth of them may stay away.
// It is called before they are answered: who was cannot be among those who wait.
func (g *Gathering) Answered(now, sent time.Time, requests, waiting int) {
	g.Owed(now, sent, requests, waiting)
	g.began, g.before = now, waiting
	all := waiting
	for _, a := range g.out {
		all += a.n
	}
	g.expected, g.until = all-all/8, now.Add(min(longest, max(appends*now.Sub(sent), time.Duration(all)*longestEach)))
	g.grown, g.silence = now, silence+time.Duration(requests)*silenceEach
}

// Owed is Answered, but begins no gathering. One that is under way goes on. sent is zero
// for those who went another way; see Forget.
func (g *Gathering) Owed(now, sent time.Time, requests, waiting int) {
	g.look(now, waiting)
	if g.full.gathered > 0 && !sent.Before(g.full.gone) {
		g.judge(now)
	}
	g.forget(now)
	g.out = append(g.out, answered{now, requests})
}

// Left is how long those who wait, so many, are to wait for others, unless more come;
// 0 if they go.
func (g *Gathering) Left(now time.Time, waiting int) time.Duration {
	g.look(now, waiting)
	if g.expected < fewest || waiting >= g.expected || g.rest > 0 {
		return 0
	}
	return max(0, min(g.until.Sub(now), g.grown.Add(g.silence).Sub(now)))
}

// Gone ends the gathering: of those who waited, so many, all go but some who are left.
// What has come of it says whether the next ones are worth their time; of one that is
// full, its answer says it.
func (g *Gathering) Gone(now time.Time, waiting, left int) {
	g.look(now, waiting)
	switch {
	case g.expected < fewest:
	case g.rest > 0:
		g.rest--
	case waiting >= g.expected:
		g.full = full{gathered: waiting - g.before, took: now.Sub(g.began), gone: now}
		g.strangers = 0
	default:
		g.inVain()
	}
	g.expected, g.seen = 0, left
}

// Back notes that so many of those who had gone wait again.
func (g *Gathering) Back(requests int) { g.seen += requests }

// Forget ends the gathering without a word on what has come of it: those who wait, so
// many, go another way.
func (g *Gathering) Forget(now time.Time, waiting int) {
	g.look(now, waiting)
	g.expected, g.seen = 0, 0
}

// look counts who came, since so many wait.
func (g *Gathering) look(now time.Time, waiting int) {
	came := waiting - g.seen
	g.seen = waiting
	if came <= 0 {
		return
	}
	g.grown = now
	g.Came(now, came)
}

// Came notes that so many came.
func (g *Gathering) Came(now time.Time, came int) {
	g.forget(now)
	// The latest are taken to be back first: who does not come back is forgotten so.
	for last := len(g.out) - 1; last >= 0 && came > 0; last-- {
		back := min(came, g.out[last].n)
		came -= back
		if g.out[last].n -= back; g.out[last].n == 0 {
			g.out = g.out[:last]
		}
	}
	g.strangers += came
}

// forget has those be gone who stay away for long.
func (g *Gathering) forget(now time.Time) {
	gone := 0
	for gone < len(g.out) && now.Sub(g.out[gone].at) > away {
		gone++
	}
	g.out = slices.Delete(g.out, 0, gone)
}

// judge says what a full gathering was worth, when it is answered. While it was under
// way, clients in a loop could not ask again: they were in it. If strangers came then
// nearly as quickly as others had before, it was strangers who filled it, and they
// would have come without being waited for.
func (g *Gathering) judge(now time.Time) {
	since := float64(g.strangers) / now.Sub(g.full.gone).Seconds()
	if g.strangers > 0 && since*likeness >= float64(g.full.gathered)/g.full.took.Seconds() {
		g.inVain()
	} else {
		g.vain /= 2 // it may have been chance
	}
	g.full = full{}
}

// inVain counts a gathering that was.
func (g *Gathering) inVain() {
	g.vain = min(g.vain+1, hopeless)
	if g.vain >= patience {
		g.rest = 4 << (g.vain - patience)
	}
}
