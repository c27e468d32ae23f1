package packed

import (
	"fmt"

	"github.com/klauspost/compress/s2"
)

const (
	// maxContent is the most bytes that a dictionary has.
	maxContent = 32 << 10
	// maxValue is the largest value that is packed with a dictionary: what is far
	// from a value's beginning finds its like in the value itself.
	maxValue = 32 << 10
)

// dictionary is text that values are packed against. It never changes.
type dictionary struct {
	s2   *s2.Dict // nil for none
	pool *Pool    // that of the values which it unpacks
}

// newDictionary makes one of some text, which it keeps.
func newDictionary(pool *Pool, content []byte) *dictionary {
	return &dictionary{s2.MakeDict(content, nil), pool} // nil for a text that is too short
}

// pack is value in its packed form, in dst if that has the room.
func (d *dictionary) pack(dst, value []byte) []byte {
	if d.uses(len(value)) {
		return d.s2.Encode(dst[:cap(dst)], value)
	}
	return s2.Encode(dst[:cap(dst)], value)
}

// uses says whether a value of that size is packed with the dictionary's text.
func (d *dictionary) uses(size int) bool { return d.s2 != nil && size <= maxValue }

// unpack is the value that was packed with this dictionary, in memory of its own.
// It panics if the bytes are not what was packed: memory is broken then.
func (d *dictionary) unpack(packed []byte) []byte {
	value, err := d.decode(packed)
	if err != nil {
		panic(fmt.Sprintf("packed: a value in memory is damaged: %v", err))
	}
	return value
}

func (d *dictionary) decode(packed []byte) ([]byte, error) {
	n, err := s2.DecodedLen(packed)
	if err != nil {
		return nil, err
	}
	if d.uses(n) {
		return d.s2.Decode(make([]byte, n), packed)
	}
	return s2.Decode(make([]byte, n), packed)
}
