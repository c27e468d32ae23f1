package wire

import (
	"sync"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
)

// buffers collects a message's bytes in buffers from pools, which take them back
// once they are on the wire: gRPC frees what it gets from a codec. One that is
// not closed is garbage, and no leak.
type buffers struct {
	full mem.BufferSlice
	// Where b comes from; nil if from no pool.
	pool   mem.BufferPool
	pooled *[]byte
	b      []byte
	// left is how many bytes of the message do not fit into b any more.
	left int
}

const (
	// largeBytes is the size of the buffers of a large message: small enough
	// to stay in the processor's cache while it is filled.
	largeBytes = 128 << 10
	// smallBytes is up to which size gRPC's own pool has fitting buffers, which
	// it clears each time.
	smallBytes = 32 << 10
	// maxHead is what a tag and a length take at most.
	maxHead = 1 + 10
)

// large has buffers of largeBytes, with whatever is in them.
var large = &largePool{}

// largePool is a mem.BufferPool.
type largePool struct{ pool sync.Pool }

// Get returns a buffer of n bytes, at most largeBytes.
func (p *largePool) Get(n int) *[]byte {
	b, ok := p.pool.Get().(*[]byte)
	if !ok {
		fresh := make([]byte, largeBytes)
		b = &fresh
	}
	*b = (*b)[:n]
	return b
}

// Put takes a buffer back, unless it has been replaced by a larger one.
func (p *largePool) Put(b *[]byte) {
	if cap(*b) == largeBytes {
		p.pool.Put(b)
	}
}

// newBuffers makes room for a message of size bytes.
func newBuffers(size int) *buffers {
	w := &buffers{left: size}
	w.next(min(size, largeBytes))
	return w
}

// next begins a buffer of at least n bytes.
func (w *buffers) next(n int) {
	switch {
	case mem.IsBelowBufferPoolingThreshold(n):
		w.pool, w.pooled, w.b = nil, nil, make([]byte, 0, n)
		w.left -= n
		return
	case n > smallBytes && n <= largeBytes:
		w.pool = large
	default:
		w.pool = mem.DefaultBufferPool()
	}
	w.pooled = w.pool.Get(n)
	w.b = (*w.pooled)[:0]
	w.left -= cap(w.b)
}

// room begins the next buffer if this one has no room for n bytes and is not
// the last. It is called before each thing that stays in one buffer; small
// numbers may come without, at the price of a copy if they do not fit.
func (w *buffers) room(n int) {
	free := cap(w.b) - len(w.b)
	if free >= n || w.left <= 0 {
		return
	}
	w.flush()
	w.left += free
	w.next(max(n, min(w.left, largeBytes)))
}

func (w *buffers) flush() {
	if w.pool == nil {
		w.full = append(w.full, mem.SliceBuffer(w.b))
		return
	}
	*w.pooled = w.b
	w.full = append(w.full, mem.NewBuffer(w.pooled, w.pool))
}

// close returns the message.
func (w *buffers) close() mem.BufferSlice {
	w.flush()
	return w.full
}

// message begins a field that holds a message of size bytes.
func (w *buffers) message(field protowire.Number, size int) {
	w.room(2 * maxHead) // the tag and the length, and small numbers after them
	w.head(field, size)
}

func (w *buffers) head(field protowire.Number, size int) {
	w.b = append(w.b, byte(field<<3|protowire.Number(protowire.BytesType)))
	w.b = protowire.AppendVarint(w.b, uint64(size))
}

func (w *buffers) bytes(field protowire.Number, data []byte) {
	if len(data) > 0 {
		w.head(field, len(data))
		w.b = append(w.b, data...)
	}
}

func (w *buffers) int(field protowire.Number, n int64) {
	if n != 0 {
		w.b = append(w.b, byte(field<<3|protowire.Number(protowire.VarintType)))
		w.b = protowire.AppendVarint(w.b, uint64(n))
	}
}

func (w *buffers) bool(field protowire.Number, set bool) {
	if set {
		w.b = append(w.b, byte(field<<3|protowire.Number(protowire.VarintType)), 1)
	}
}
