package pace

import "time"

const (
	// longest bounds how long anyone waits for others.
	longest = 8 * time.Millisecond
	// silence bounds how long after the last one of them came, and silenceEach is added
	// for each that was answered: answers go out one after the other, and where
	// processors are short the next request comes when they all have.
	silence     = 2 * time.Millisecond
	silenceEach = 40 * time.Microsecond
	// fewest is how many must come together for it to pay that any of them waits.
	fewest = 4
	// likeness is how many times as quickly clients may come while a gathering lasts as
	// while it is under way, for them to be the same.
	likeness = 1.6
	// patience is how many gatherings in a row may be in vain.
	patience = 4
	// longestRest bounds how many are left out after that: a second or so of appends.
	longestRest = 512
)

// Gathering waits for those who have just been answered, and are likely to ask
// again: clients in a loop, who write or read as fast as they are answered. So they
// go together, and not in two halves of which one waits for the other. Clients
// who come by themselves do not come back so soon; that shows, and then most
// gatherings are left out. It has no lock of its own; its zero value is ready.
type Gathering struct {
	expected int           // who are likely to wait soon; 0 if no gathering is under way
	until    time.Time     // when they are not waited for any longer
	silence  time.Duration // after which no client is waited for
	// began is when the gathering did, and waited is how many waited then.
	began  time.Time
	waited int
	// seen is how many waited when that grew last.
	seen  int
	grown time.Time
	// vain is how many gatherings in a row were in vain; rest is how many are to be
	// left out.
	vain, rest int
	full       full
}

// Answered begins a gathering: so many were answered now, and so many wait. An
// eighth of them may stay away.
func (g *Gathering) Answered(now time.Time, answered, waiting int) {
	if g.full.size > 0 && answered >= g.full.size {
		g.judge(now, waiting)
	}
	g.expected, g.until = answered+waiting-(answered+waiting)/8, now.Add(longest)
	g.began, g.waited = now, waiting
	g.seen, g.grown, g.silence = waiting, now, silence+time.Duration(answered)*silenceEach
}

// Left is how long those who wait, so many, are to wait for others, unless more come;
// 0 if they go.
func (g *Gathering) Left(now time.Time, waiting int) time.Duration {
	if g.expected < fewest || waiting >= g.expected || g.rest > 0 {
		return 0
	}
	if waiting > g.seen {
		g.seen, g.grown = waiting, now
	}
	return max(0, min(g.until.Sub(now), g.grown.Add(g.silence).Sub(now)))
}

// Gone ends the gathering: those who wait, so many, go. What has come of it says
// whether the next ones are worth their time; of one that missed no client, its answer
// says it.
func (g *Gathering) Gone(now time.Time, waiting int) {
	g.full.since += waiting
	switch {
	case g.expected < fewest:
	case g.rest > 0:
		g.rest--
	case waiting >= g.expected:
		g.full = full{size: waiting, gathered: waiting - g.waited, took: now.Sub(g.began), gone: now}
	default:
		g.inVain()
	}
	g.expected = 0
}

// Forget ends the gathering without a word on what has come of it.
func (g *Gathering) Forget() { g.expected = 0 }

// full is a gathering that missed no client, and is under way.
type full struct {
	size     int // 0 if there is none
	gathered int // who came while it lasted
	took     time.Duration
	gone     time.Time
	since    int // who came since, and went before its answer
}

// judge says what a full gathering was worth, when it is answered and so many wait.
// While it was under way, clients in a loop could not ask again, since they were in
// it. If others came then as quickly as they had before, it was these who filled
// it, and they would have come without being waited for.
func (g *Gathering) judge(now time.Time, waiting int) {
	f := g.full
	g.full = full{}
	before, since := float64(f.gathered)/f.took.Seconds(), float64(f.since+waiting)/now.Sub(f.gone).Seconds()
	switch {
	case f.gathered == 0:
	case since*likeness >= before:
		g.inVain()
	default:
		g.vain = 0
	}
}

// inVain counts a gathering that was.
func (g *Gathering) inVain() {
	g.vain++
	if more := g.vain - patience; more >= 0 {
		g.rest = min(4<<min(more, 16), longestRest)
	}
}
