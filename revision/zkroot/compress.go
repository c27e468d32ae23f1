package zkroot

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/zstd"

	"github.com/zkine/zkine/revision"
)

const (
	// compressFrom is the payload size in bytes from which compression is
	// tried: below, the saving is less than the time.
	compressFrom = 4 << 10
	// compressGain is which part of a payload compression must save to be
	// worth its time, and that of everyone who reads the slot.
	compressGain = 16
	// compressRest is how many payloads go as they are after one that did not
	// compress: what an application writes is of one kind for a while.
	compressRest = 15
)

// zstdWindow is how far back an encoder finds what is alike, in bytes. Each one
// keeps twice as much memory once it has had a large payload. At the fastest level
// what is further away is rarely found: the library's 4 MiB save nothing more.
const zstdWindow = 1 << 20

// zstdEncoder is safe for concurrent EncodeAll.
var zstdEncoder, _ = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(2),
	zstd.WithEncoderCRC(false), zstd.WithWindowSize(zstdWindow))

// Compressor compresses payloads where it pays. It may be used by several at
// once; its zero value is ready.
type Compressor struct {
	// rest is how many payloads still go as they are.
	rest atomic.Int32
}

// compress returns the compressed payload; false if it is better left alone.
func (c *Compressor) compress(payload []byte) ([]byte, bool) {
	if len(payload) < compressFrom || c.rest.Add(-1) >= 0 {
		return nil, false
	}
	packed := zstdEncoder.EncodeAll(payload, make([]byte, 0, len(payload)/2))
	if len(packed) > len(payload)-len(payload)/compressGain {
		c.rest.Store(compressRest)
		return nil, false
	}
	c.rest.Store(0)
	return packed, true
}

// scratch is room to decompress what is only looked at for a moment. A replay
// reads slots by the thousand, and new room has to be cleared first.
type scratch struct{ bytes []byte }

// scratchKept is the size in bytes from which room is not kept.
const scratchKept = 4 << 20

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// borrow returns room, the borrower's until giveBack.
func borrow() *scratch { return scratches.Get().(*scratch) }

// giveBack ends a loan; nil is none.
func (s *scratch) giveBack() {
	if s != nil && cap(s.bytes) <= scratchKept {
		scratches.Put(s)
	}
}

// decompress returns size bytes that are gone with giveBack.
func (s *scratch) decompress(packed []byte, size int) ([]byte, error) {
	raw, err := unpack(packed, size, s.bytes)
	if cap(raw) > cap(s.bytes) {
		s.bytes = raw
	}
	return raw, err
}

// Compress is for what goes beside a log, such as an archive: as a checkpoint's
// chunks are compressed.
func Compress(raw []byte) []byte { return blobEncoder.EncodeAll(raw, make([]byte, 0, len(raw)/4)) }

// Decompress returns so many bytes, at most MaxRaw, of which Compress made packed.
// Error: ErrCorrupt.
func Decompress(packed []byte, raw int) ([]byte, error) {
	if raw < 0 || raw > MaxRaw {
		return nil, fmt.Errorf("%w: %d bytes", revision.ErrCorrupt, raw)
	}
	out, err := unpack(packed, raw, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: zstd: %w", revision.ErrCorrupt, err)
	}
	return out, nil
}
