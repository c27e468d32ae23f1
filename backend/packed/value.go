package packed

import "sync/atomic"

// Value is some bytes that never change. They lie in memory as they are, which
// is warm, or packed. Its pool's goroutine packs it; anyone may read it, at any time
// and without a lock.
//
// A reader has loaded one cell or another, which hold the same, and the collector
// keeps that for as long as it is used. A Value must not be copied. The zero Value
// is empty.
type Value struct {
	cell atomic.Pointer[cell]
	size uint32
	// heat is 1 if it was read since Pool.Cool looked at it last.
	heat atomic.Uint32
}

// cell is what a Value has in memory. It never changes.
type cell struct {
	// with unpacks bytes; nil if they are the value's, and stays if they are and
	// would not pay to be packed.
	with  *dictionary
	bytes []byte
	// dropped says that its value is in no pool any more.
	dropped bool
}

// stays marks cells that are neither packed nor counted as warm.
var stays = new(dictionary)

func (c *cell) isPacked() bool { return c.with != nil && c.with != stays }

func (c *cell) value() []byte {
	if c.isPacked() {
		return c.with.unpack(c.bytes)
	}
	return c.bytes
}

// Clear empties v, which must be in no pool.
func (v *Value) Clear() {
	v.size = 0
	v.cell.Store(nil)
}

// Len is how many bytes the value has.
func (v *Value) Len() int { return int(v.size) }

// Bytes is the value. The bytes may be shared, and must not change.
func (v *Value) Bytes() []byte {
	if c := v.cell.Load(); c != nil {
		return c.value()
	}
	return nil
}

// Read is Bytes, for a reader who may come back: a value that was read twice since
// Pool.Cool has looked at it is warm again, as far as there is room.
func (v *Value) Read() []byte {
	c := v.cell.Load()
	if c == nil {
		return nil
	}
	again := v.heat.Load() != 0
	if !again {
		v.heat.Store(1)
	}
	value := c.value()
	if again && c.isPacked() {
		c.with.pool.warmAgain(v, c, value)
	}
	return value
}
