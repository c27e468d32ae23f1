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
	// patience is how many gatherings in a row may be in vain.
	patience = 4
	// longestRest bounds how many are left out after that.
	longestRest = 64
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
	// seen is how many waited when that grew last.
	seen  int
	grown time.Time
	// vain is how many gatherings in a row missed those for whom they waited; rest
	// is how many are to be left out.
	vain, rest int
}

// Answered begins a gathering: so many were answered now, and so many wait. An
// eighth of them may stay away.
func (g *Gathering) Answered(now time.Time, answered, waiting int) {
	g.expected, g.until = answered+waiting-(answered+waiting)/8, now.Add(longest)
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
// whether the next ones are worth their time.
func (g *Gathering) Gone(waiting int) {
	switch {
	case g.expected < fewest:
	case g.rest > 0:
		g.rest--
	case waiting >= g.expected:
		g.vain = 0
	default:
		if g.vain++; g.vain >= patience {
			g.rest = min(1<<(g.vain-patience+2), longestRest)
		}
	}
	g.expected = 0
}

// Forget ends the gathering without a word on what has come of it.
func (g *Gathering) Forget() { g.expected = 0 }
