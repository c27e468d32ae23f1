package revision

// segmentSize is a segment's part of Sizes.
type segmentSize struct {
	// delivered is the size of its slots as they were appended, packed or not:
	// what a checkpoint goes by.
	delivered int64
	// These are as delivered until Measure replaces them.
	log, packed, staged, znodes int64
}

// add counts a slot that was delivered.
func (s *segmentSize) add(e *entry) {
	s.delivered += int64(e.size + e.staged)
	s.staged += int64(e.staged)
	if e.staged > 0 {
		s.znodes += int64(e.staged/DefaultMaxRequest + 1)
	}
	if e.packed {
		s.packed += int64(e.size)
		return
	}
	s.log += int64(e.size)
	s.znodes++
}

// sizes adds the segments up; live counts those after segment k.
func (t *tail) sum(k int64) (all Sizes, live int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for segment, s := range t.sizes {
		all.Log += s.log
		all.Packed += s.packed
		all.Staged += s.staged
		all.Znodes += s.znodes + folders
		if segment > k {
			live += s.log + s.packed + s.staged
		}
	}
	return all, live
}

// folders is the znodes of a segment besides its slots, parts and packs: the
// segment, its stage folder and its pack folder.
const folders = 3

// measured replaces what is known of a sealed segment, unless its slots are
// still being delivered, and counted.
func (t *tail) measured(k int64, s segmentSize) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if k >= t.cur.number {
		return
	}
	if old := t.sizes[k]; old != nil {
		s.delivered = old.delivered
	}
	t.sizes[k] = &s
}

// knows says whether anything is known of a segment's size.
func (t *tail) knows(k int64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sizes[k] != nil
}

// Sizes implements backend.Log.
func (l *Log) Sizes() Sizes {
	newest := l.Newest()
	s, live := l.tail.sum(newest.Segment)
	l.census.mu.Lock()
	defer l.census.mu.Unlock()
	s.Checkpoint = max(l.census.checkpoint, newest.Bytes)
	s.Znodes += l.census.znodes
	s.Live = live + newest.Bytes
	return s
}
