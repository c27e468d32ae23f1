package zklog

import (
	"sync"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zkroot"
)

// segmentSize is a segment's part of Sizes.
type segmentSize struct {
	// delivered is the size of its slots as they were appended, packed or not:
	// what a checkpoint goes by.
	delivered int64
	// These are as delivered until Measure replaces them.
	log, packed, staged, znodes int64
}

// add counts a slot that was delivered.
func (s *segmentSize) add(e *zkroot.StoredSlot) {
	s.delivered += int64(e.Size + e.Staged)
	s.staged += int64(e.Staged)
	if e.Staged > 0 {
		s.znodes += int64(e.Staged/DefaultMaxRequest + 1)
	}
	if e.Packed {
		s.packed += int64(e.Size)
		return
	}
	s.log += int64(e.Size)
	s.znodes++
}

// segmentSizes is the sizes of the segments that are known of, by number. It may
// be used by several goroutines.
type segmentSizes struct {
	mu    sync.Mutex
	sizes map[int64]*segmentSize
}

// delivered counts a slot.
func (s *segmentSizes) delivered(e *zkroot.StoredSlot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	size := s.sizes[e.Slot.Seq.Segment]
	if size == nil {
		size = &segmentSize{}
		s.sizes[e.Slot.Seq.Segment] = size
	}
	size.add(e)
}

// sum adds the segments up; Live counts those after the segment newest, Kept those
// after the segment previous.
func (s *segmentSizes) sum(newest, previous int64) (all revision.Sizes) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for segment, size := range s.sizes {
		all.Log += size.log
		all.Packed += size.packed
		all.Staged += size.staged
		all.Znodes += size.znodes + folders
		bytes := size.log + size.packed + size.staged
		if segment > newest {
			all.Live += bytes
		}
		if segment > previous {
			all.Kept += bytes
		}
	}
	return all
}

// folders is the znodes of a segment besides its slots, parts and packs: the
// segment, its stage folder and its pack folder.
const folders = 3

// measured replaces what is known of a segment whose slots have all been
// delivered.
func (s *segmentSizes) measured(k int64, size segmentSize) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.sizes[k]; old != nil {
		size.delivered = old.delivered
	}
	s.sizes[k] = &size
}

// knows says whether anything is known of a segment's size.
func (s *segmentSizes) knows(k int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sizes[k] != nil
}

// deliveredAfter is how many bytes were delivered of segments after k, up to
// last.
func (s *segmentSizes) deliveredAfter(k, last int64) (n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for segment, size := range s.sizes {
		if segment > k && segment <= last {
			n += size.delivered
		}
	}
	return n
}

// forget forgets segments up to k.
func (s *segmentSizes) forget(k int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for segment := range s.sizes {
		if segment <= k {
			delete(s.sizes, segment)
		}
	}
}
