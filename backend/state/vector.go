package state

// chunkLen is how many elements a vector allocates, and frees, at a time. What
// a chunk refers to is kept until all of the chunk can go.
const chunkLen = 256

// vector is a sequence that grows at its end and is cut at its front, and whose
// copies are snapshots: assigning a vector takes one in O(1).
//
// Invariants: elements [first, end) exist, and never change while some copy
// can see them; the writer writes at end only. chunks[0] begins at first, a
// multiple of chunkLen. A copy that went back to a smaller end (see
// Machine.rollBack) may write there again, since no other copy sees that far.
type vector[T any] struct {
	chunks     []*[chunkLen]T
	first, end int
}

// append adds an element at index end.
func (v *vector[T]) append(element T) {
	i := v.end - v.first
	if i/chunkLen == len(v.chunks) {
		v.chunks = append(v.chunks, new([chunkLen]T))
	}
	v.chunks[i/chunkLen][i%chunkLen] = element
	v.end++
}

// at points to the element at index i, which must be in [first, end).
func (v *vector[T]) at(i int) *T {
	i -= v.first
	return &v.chunks[i/chunkLen][i%chunkLen]
}

// drop gives up the chunks that lie wholly below index i.
func (v *vector[T]) drop(i int) {
	n := (min(i, v.end) - v.first) / chunkLen
	if n <= 0 {
		return
	}
	// A new array of chunks: the old one may be a view's, and would keep the
	// dropped chunks alive.
	v.chunks = append([]*[chunkLen]T(nil), v.chunks[n:]...)
	v.first += n * chunkLen
}
