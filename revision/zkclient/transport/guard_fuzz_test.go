package transport

import (
	"bytes"
	"encoding/binary"
	"io"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The guard is fuzzed by itself, in front of nothing: what it passes on is judged
// by decoder, which holds each frame as a whole and knows nothing of the guard.

// fuzzBounds are small, so that what is beyond them is soon met.
var fuzzBounds = Config{Limit: time.Minute, MaxData: 1 << 17, MaxChildren: 1 << 17}

// opcodes are those that a fuzzed client asks with, each in a request of its own.
var opcodes = []int32{
	opCreate, opDelete, opExists, opGetData, opSetData, opGetACL, opSetACL, opGetChildren, opSync,
	opGetChildren2, opMulti, opMultiRead, opSetAuth, opSASL, opCloseSession, 107,
}

// FuzzGuard reads arbitrary bytes behind a connect response, or in its place.
func FuzzGuard(f *testing.F) {
	for _, name := range slices.Sorted(maps.Keys(goodReplies)) {
		if c := goodReplies[name]; len(c.reply) < 10_000 {
			f.Add(true, slices.Concat(asFirst(c.opcode, c.reply).frame(), asFirst(c.opcode, c.reply).frame()), 7)
		}
	}
	f.Add(false, connected, 3)
	f.Add(false, []byte("HTTP/1.1 400 Bad Request\r\n\r\n"), 100)
	f.Fuzz(func(t *testing.T, after bool, data []byte, piece int) {
		if after {
			data = append(bytes.Clone(connected), data...)
		}
		throughGuard(t, data, piece)
	})
}

// FuzzMutatedReplies changes a byte of a real reply, and its length, which may
// then be shorter or longer than it says.
func FuzzMutatedReplies(f *testing.F) {
	names := slices.Sorted(maps.Keys(goodReplies))
	for which := range names {
		if len(goodReplies[names[which]].reply) > 1000 {
			continue
		}
		for at := range 30 {
			f.Add(which, at, byte(1)<<(at%8), at-15, 7*at)
		}
	}
	f.Fuzz(func(t *testing.T, which, at int, flip byte, longer, piece int) {
		c := goodReplies[names[uint(which)%uint(len(names))]]
		if len(c.reply) > fuzzBounds.MaxData {
			return
		}
		said := asFirst(c.opcode, c.reply).frame()
		said[uint(at)%uint(len(said))] ^= flip
		if n := len(said) + longer%len(said); longer < 0 {
			said = said[:n]
		} else {
			said = append(said, make([]byte, n-len(said))...)
		}
		throughGuard(t, append(bytes.Clone(connected), said...), piece)
	})
}

// asFirst is the reply with the xid of the opcode's request.
func asFirst(opcode int32, reply jute) jute {
	at := max(slices.Index(opcodes, opcode), 0)
	return append(jute{}.int(int32(at)), reply[4:]...)
}

// throughGuard reads as the client does: a length, then a frame of that length.
func throughGuard(t *testing.T, data []byte, piece int) {
	w := &wire{Reader: &inPieces{bytes.NewReader(data), piece}}
	g := New(w, fuzzBounds)
	_, err := g.Write(connects)
	require.NoError(t, err)
	for i, opcode := range opcodes {
		_, err := g.Write(asks(int32(i), opcode, requestSize))
		require.NoError(t, err)
	}
	got := 0
	for first := true; ; first = false {
		length := make([]byte, 4)
		n, err := io.ReadFull(g, length)
		got += n
		if err != nil {
			break
		}
		size := int64(binary.BigEndian.Uint32(length))
		most := int64(max(fuzzBounds.MaxData, smallReply+opGrowth*(requestSize+12)))
		require.LessOrEqual(t, size, most, "the client would take so much memory")
		frame := make([]byte, size)
		n, err = io.ReadFull(g, frame)
		got += n
		if err != nil {
			require.True(t, len(data) < got+len(frame) || g.Refusal() != nil, "all that was received is given, or it is refused")
			break
		}
		require.True(t, decodes(frame, first), "the client cannot decode %x", frame)
	}
	require.LessOrEqual(t, got, len(data))
	require.Error(t, g.Err())
	require.Equal(t, g.Refusal() != nil, w.closed)
}

// inPieces reads from one to so many bytes at a time.
type inPieces struct {
	io.Reader
	size int
}

func (p *inPieces) Read(b []byte) (int, error) {
	return p.Reader.Read(b[:min(len(b), max(p.size, 1))])
}

// decodes says whether all lengths in a frame are within it.
func decodes(frame []byte, first bool) bool {
	d := &decoder{rest: frame}
	if first {
		d.take(16)
		d.buffer()
		return !d.failed
	}
	xid := d.int()
	d.take(8)
	if code := d.int(); code != 0 || d.failed {
		return !d.failed
	}
	if xid == -1 {
		if kind := d.int(); kind < 1 {
			return false
		}
		d.int()
		d.string()
		return !d.failed
	}
	if xid < 0 || int(xid) >= len(opcodes) {
		return false
	}
	switch opcodes[xid] {
	case opCreate, opSync:
		d.string()
	case opExists, opSetData, opSetACL:
		d.take(68)
	case opGetData:
		d.buffer()
		d.take(68)
	case opSASL:
		d.buffer()
	case opGetChildren, opGetChildren2:
		for range d.count() {
			d.string()
		}
		if opcodes[xid] == opGetChildren2 {
			d.take(68)
		}
	case opGetACL:
		for range d.count() {
			d.int()
			d.string()
			d.string()
		}
		d.take(68)
	case opMulti, opMultiRead:
		d.multi(opcodes[xid] == opMultiRead)
	}
	return !d.failed
}

type decoder struct {
	rest   []byte
	failed bool
}

func (d *decoder) take(n int) []byte {
	if n < 0 || n > len(d.rest) {
		d.failed, d.rest = true, nil
		return nil
	}
	taken := d.rest[:n]
	d.rest = d.rest[n:]
	return taken
}

func (d *decoder) int() int32 {
	if b := d.take(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

func (d *decoder) string() { d.take(int(d.int())) }

func (d *decoder) buffer() {
	if n := d.int(); n != -1 {
		d.take(int(n))
	}
}

func (d *decoder) count() int {
	n := int(d.int())
	if n < 0 || n > len(d.rest)/4 {
		d.failed = true
		return 0
	}
	return n
}

func (d *decoder) multi(reads bool) {
	for !d.failed {
		kind, done := d.int(), d.take(1)
		d.int()
		if d.failed || done[0] != 0 {
			return
		}
		switch {
		case kind == opError:
			d.int()
		case reads && kind == opGetData:
			d.buffer()
			d.take(68)
		case !reads && kind == opCreate:
			d.string()
		case !reads && kind == opSetData:
			d.take(68)
		case !reads && (kind == opCheck || kind == opDelete):
		default:
			d.failed = true
		}
	}
}
