package doctor

import (
	"fmt"
	"time"
)

// Level says how much a finding matters.
type Level string

// The levels.
const (
	// OK: it was looked at, and nothing is wrong.
	OK Level = "ok"
	// Advice: it works, and could be better.
	Advice Level = "advice"
	// Problem: it harms what zkine promises, or will.
	Problem Level = "problem"
	// Unknown: it could not be looked at; What says why.
	Unknown Level = "unknown"
)

// Finding is what a check has found out about one thing.
type Finding struct {
	// Check is the name of the check, as --ignore has it.
	Check string `json:"check"`
	Level Level  `json:"level"`
	// Thing is what it is about: a server, a znode, a member; "" for the whole.
	Thing string `json:"thing,omitempty"`
	What  string `json:"what"`
	// Why it matters, and what to do; "" if there is nothing to do.
	Why    string `json:"why,omitempty"`
	Remedy string `json:"remedy,omitempty"`
}

// Report is what Run has found.
type Report struct {
	// Time is when it began.
	Time time.Time `json:"time"`
	// Zkine is the version of the zkine that looks.
	Zkine string `json:"zkine"`
	Root  string `json:"root,omitempty"`
	// Blind says that nothing could be looked at.
	Blind    bool      `json:"blind"`
	Findings []Finding `json:"findings"`
}

// Count is how many findings have a level.
func (r *Report) Count(level Level) (n int) {
	for _, f := range r.Findings {
		if f.Level == level {
			n++
		}
	}
	return n
}

func ok(thing, format string, args ...any) Finding {
	return Finding{Level: OK, Thing: thing, What: fmt.Sprintf(format, args...)}
}

func unknown(thing, format string, args ...any) Finding {
	return Finding{Level: Unknown, Thing: thing, What: fmt.Sprintf(format, args...)}
}

// unless is one finding that all is well, if there are no others.
func unless(found []Finding, format string, args ...any) []Finding {
	if len(found) > 0 {
		return found
	}
	return []Finding{ok("", format, args...)}
}
