package zkroot

import (
	"errors"
	"fmt"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/revision"
)

// What comes from ZooKeeper is checked against what zkine writes before memory
// is taken for it. A checksum tells that the bytes are those that were stored,
// not that zkine stored them. Each writer keeps to what its reader checks.
const (
	// MaxRaw bounds a blob: a chunk of a checkpoint, or its manifest, in bytes.
	MaxRaw = 1 << 30
	// maxBatch bounds the payload of a slot, uncompressed, in bytes.
	maxBatch = 256 << 20
	// maxRequests bounds the requests of a slot. The backend puts 4,096 into one
	// at most.
	maxRequests = 64 << 10
	// maxNesting bounds the messages within messages of a slot: what gRPC lets
	// in (protobuf's own limit), and the two around it.
	maxNesting = 10_000 + 2
)

const (
	// DefaultMaxRequest is the largest request sent to ZooKeeper, in bytes,
	// below the default jute.maxbuffer of 1,048,575.
	DefaultMaxRequest = 900 << 10
	// MinRequest is the smallest limit that zkine tries, in bytes.
	MinRequest = 64 << 10
	// RequestOverhead is room for what a multi holds beside the data, in
	// bytes: 4 KiB for the ACL, as zkacl bounds it, and the rest for paths, headers
	// and the checks of a staged batch's parts.
	RequestOverhead = 12 << 10
)

// decoding is how a slot's messages are decoded.
var decoding = proto.UnmarshalOptions{RecursionLimit: maxNesting}

// zstdDecoder never writes beyond the capacity that it is given. It is safe for
// concurrent DecodeAll.
var zstdDecoder, _ = zstd.NewReader(nil, zstd.WithDecoderConcurrency(2), zstd.WithDecodeAllCapLimit(true))

// zstdMost is how many bytes one byte of a zstd block can stand for: a block of
// 128 KiB takes four bytes at least.
const zstdMost = 128 << 10 / 4

var errFrame = errors.New("not a zstd frame of that size")

// unpack decompresses what a zkine has compressed from so many raw bytes, into
// room, which it replaces if it is too small. The frame has to say that size,
// too, before memory is taken.
func unpack(packed []byte, raw int, room []byte) ([]byte, error) {
	if raw == 0 && len(packed) == 0 {
		return room[:0], nil // as the encoder has it
	}
	var head zstd.Header
	if err := head.Decode(packed); err != nil {
		return nil, err
	}
	said := head.FrameContentSize == uint64(raw)
	if !head.HasFCS {
		said = raw < 256 // the encoder leaves it out
	}
	if head.Skippable || !said || raw/zstdMost > len(packed) {
		return nil, fmt.Errorf("%w: %d bytes", errFrame, raw)
	}
	if cap(room) < raw {
		room = make([]byte, 0, raw)
	}
	out, err := zstdDecoder.DecodeAll(packed, room[:0:raw])
	if err == nil && len(out) != raw {
		err = fmt.Errorf("%w: %d bytes, %d expected", errFrame, len(out), raw)
	}
	return out, err
}

// untrusted says of what an error is, and what can be done about it.
func untrusted(what string, err error) error {
	if errors.Is(err, revision.ErrCorrupt) {
		return fmt.Errorf("%s: %w; see docs/operations.md, \"Corrupt\"", what, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}
