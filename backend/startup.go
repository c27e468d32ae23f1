package backend

import (
	"fmt"
	"sync"
	"time"
)

// Startup tells how far Open has come, while it runs. Its zero value has not come
// to any step yet.
type Startup struct {
	mu    sync.Mutex
	step  Progress
	began time.Time
	// waiting is why the log is not open yet; nil if that is not known.
	waiting error
}

// Waiting notes what keeps a start from its first step.
func (s *Startup) Waiting(why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = why
}

// Progress is how far a step of a start has come.
type Progress struct {
	// Step names it; "" before the first.
	Step string
	// Done of Total, in Unit. Total is 0 while it is not known, and Unit "" if
	// there is nothing to count.
	Done, Total int64
	Unit        string
	// Took is how long the step has taken so far.
	Took time.Duration
	// Waiting is what keeps it from the first step; nil if that is not known.
	Waiting error
}

func (s *Startup) begin(step string, total int64, unit string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.step, s.began = Progress{Step: step, Total: total, Unit: unit}, time.Now()
}

func (s *Startup) add(n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.step.Done += n
}

// Progress is that of the step under way.
func (s *Startup) Progress() Progress {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.step
	if p.Step == "" {
		p.Waiting = s.waiting
	} else {
		p.Took = time.Since(s.began)
	}
	return p
}

// Fraction is what part is done, from 0 to 1. More than was foreseen may come
// while others write; it counts as nearly done.
func (p Progress) Fraction() float64 {
	if p.Total == 0 {
		return 0
	}
	return min(float64(p.Done)/float64(p.Total), 0.99)
}

// Rate is in Unit a second; 0 before there is one to tell.
func (p Progress) Rate() float64 {
	if p.Took <= 0 {
		return 0
	}
	return float64(p.Done) / p.Took.Seconds()
}

// Left is how long the rest takes at this rate; 0 if that cannot be told.
func (p Progress) Left() time.Duration {
	if p.Done == 0 || p.Total <= p.Done {
		return 0
	}
	return time.Duration(float64(p.Took) * float64(p.Total-p.Done) / float64(p.Done))
}

// String is for people, as in "loading the checkpoint: 43 %, 120 of 280 MiB,
// 95 MiB/s, 2s left".
func (p Progress) String() string {
	if p.Step == "" && p.Waiting != nil {
		return fmt.Sprintf("the log is not open yet: %v", p.Waiting)
	}
	if p.Step == "" {
		return "the log is not open yet"
	}
	if p.Unit == "" {
		return p.Step
	}
	text := fmt.Sprintf("%s: %.0f %%, %d of %d %s", p.Step, 100*p.Fraction(), p.Done, p.Total, p.Unit)
	if rate := p.Rate(); rate > 0 {
		text += fmt.Sprintf(", %.0f %s/s", rate, p.Unit)
	}
	if left := p.Left(); left > 0 {
		text += fmt.Sprintf(", %v left", left.Round(time.Second))
	}
	return text
}
