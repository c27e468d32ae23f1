package simulation

import (
	"container/heap"
	"testing/synctest"
	"time"
)

// agenda is what is going to happen, in order of time. The scheduler owns it.
type agenda []*item

type item struct {
	at    time.Duration
	order int
	run   func()
}

func (a agenda) Len() int { return len(a) }
func (a agenda) Less(i, j int) bool {
	if a[i].at != a[j].at {
		return a[i].at < a[j].at
	}
	return a[i].order < a[j].order
}
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(x any)   { *a = append(*a, x.(*item)) }
func (a *agenda) Pop() any {
	old := *a
	last := old[len(old)-1]
	*a = old[:len(old)-1]
	return last
}

// after has the scheduler run f in a while. Called by the scheduler only.
func (w *world) after(d time.Duration, f func()) { w.at(w.now()+d, f) }

func (w *world) at(t time.Duration, f func()) {
	w.order++
	heap.Push(&w.agenda, &item{max(t, w.now()), w.order, f})
}

// now is the world's age.
func (w *world) now() time.Duration { return time.Since(w.began) }

// schedule runs the world until a condition holds, or it is past saving, or
// limit has passed; it says whether the condition holds. Between two steps
// every goroutine of the world is at rest.
func (w *world) schedule(limit time.Duration, done func() bool) bool {
	deadline := w.now() + limit
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for {
		synctest.Wait()
		w.look()
		w.admit()
		if done() {
			return true
		}
		now := w.now()
		if w.failed() && !w.over || now >= deadline {
			return false
		}
		next := deadline
		if len(w.agenda) > 0 {
			next = min(next, w.agenda[0].at)
		}
		if next <= now {
			heap.Pop(&w.agenda).(*item).run()
			continue
		}
		timer.Reset(next - now)
		select {
		case <-w.arrived:
		case <-timer.C:
		}
	}
}

// poke makes the scheduler look; anyone may call it.
func (w *world) poke() {
	select {
	case w.arrived <- struct{}{}:
	default:
	}
}
