package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"
)

// The state is one large heap that lives long; garbage comes from requests. Go
// lets the heap double between collections. With a large state that costs as much
// memory again. With a small one it means a dozen collections a second under load.
//
// Here the room for garbage follows from what a collection costs. What has no
// pointers, as the values of all keys, is not looked at, and so gets little. And
// room that fills up in no time is made larger, up to a bound; room that takes
// long to fill up is made smaller.

const (
	// leastRoom and mostRoom bound the part of the room that follows the load, in
	// bytes. Until zkine serves it is the most, since a replay makes garbage fast.
	// The most is what lists need: a collection takes the buffers that wait for the
	// next one.
	leastRoom, mostRoom = 8 << 20, 64 << 20
	// quick and slow are how soon a collection follows the one before if the room
	// is too small, and if it is too large; apt is in between. What a checkpoint
	// makes in a moment is to be given back soon, so room shrinks in one step.
	quick, slow = 1500 * time.Millisecond, 3 * time.Second
	apt         = 2 * time.Second
	// scannedShare is added for each byte that a collection looks at, and
	// unscannedShare for each of the others, in percent.
	scannedShare, unscannedShare = 100, 10
)

// heap is what lives, in bytes, and how much of it a collection looks at.
type heap struct{ live, scanned uint64 }

func readHeap() heap {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/heap:bytes"}}
	metrics.Read(sample)
	live, scanned := sample[0].Value.Uint64(), sample[1].Value.Uint64()
	return heap{live, min(scanned, live)}
}

// garbagePercent is Go's GC percentage for a heap, given the room that follows
// the load.
func (h heap) garbagePercent(room uint64) int {
	room += h.scanned*scannedShare/100 + (h.live-h.scanned)*unscannedShare/100
	return int(min(100*room/max(h.live, 1), 2000))
}

// nextRoom is the room that follows the load after a collection that came so long
// after the one before.
func nextRoom(room uint64, since time.Duration) uint64 {
	switch {
	case since < quick:
		return min(2*room, mostRoom)
	case since > slow:
		return max(uint64(float64(room)*apt.Seconds()/since.Seconds()), leastRoom)
	}
	return room
}

// gcTuner sets the percentage again after each collection.
type gcTuner struct {
	mu      sync.Mutex
	serves  bool
	room    uint64
	last    int // the percentage that was set
	lastEnd time.Time
}

// tuneGC tunes from now on, after each collection. It changes nothing if an
// operator has set GOGC or GOMEMLIMIT.
func tuneGC() *gcTuner {
	t := &gcTuner{room: mostRoom, lastEnd: time.Now()}
	if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
		t.collected()
	}
	return t
}

func (t *gcTuner) collected() {
	t.set()
	// A new object that dies at once is found by the next collection.
	runtime.AddCleanup(new(sentinel), func(struct{}) { t.collected() }, struct{}{})
}

func (t *gcTuner) set() {
	h := readHeap()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.serves {
		t.room = nextRoom(t.room, time.Since(t.lastEnd))
	}
	t.lastEnd = time.Now()
	t.setPercent(h)
}

// setPercent leaves small changes out.
func (t *gcTuner) setPercent(h heap) {
	if percent := h.garbagePercent(t.room); percent < t.last*9/10 || percent > t.last*11/10 {
		t.last = percent
		debug.SetGCPercent(percent)
	}
}

// serving has the room follow the load from now on.
func (t *gcTuner) serving() {
	h := readHeap()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.serves, t.room = true, leastRoom
	if t.last != 0 {
		t.setPercent(h)
	}
}

// sentinel has a size of its own: tiny objects share memory, and would live on.
type sentinel [32]byte
