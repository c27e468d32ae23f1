package state

import "bytes"

// Values that no client has read for some time are packed (see package packed). What
// is packed when is each machine's own affair: it changes no answer, no digest
// and no checkpoint.

const (
	// warmRoom is how many bytes of values are kept as they are. A store of that
	// size is never packed. Readers may have half as much again.
	warmRoom = 32 << 20
	// coolStep is how much may be done about it for each change: looking at a key
	// is 1, packing it packCost. It is enough for a store of fifty times warmRoom;
	// in a larger one more stays as it is.
	coolStep, packCost = 64, 32
	// maxCredit bounds what is done after one slot, and maxCarry what is left of it for
	// the next ones, or taken from them: the most that one slot adds is some 15 ms, if
	// it is as large as a slot may be.
	maxCredit, maxCarry = 1 << 16, 1 << 12
)

// cooling is a walk over all keys, again and again, as the hand of a clock.
type cooling struct {
	// next is the key at which it goes on.
	next   string
	credit int
}

// cool packs values until few enough are as they are.
func (m *Machine) cool() {
	c := &m.cooling
	c.credit = min(c.credit, maxCredit)
	defer func() { c.credit = min(c.credit, maxCarry) }()
	if !m.pool.Full() || c.credit <= 0 {
		return
	}
	from := c.next
	c.next = "" // unless it ends before
	m.walkNewest(span{lo: from, kind: unbounded}, func(newest *version) bool {
		if c.credit <= 0 || !m.pool.Full() {
			c.next = newest.key
			return false
		}
		for v := newest; v != nil && c.credit > -maxCarry; v = v.prev.Load() {
			c.credit--
			if m.pool.Cool(v.key, &v.kv) {
				c.credit -= packCost * weight(v)
			}
		}
		return true
	})
}

// weight is how many times as dear as a small value one is.
func weight(v *version) int { return 1 + v.kv.Len()>>12 }

// restored takes a version of a checkpoint into the pool, with its encoding, which it
// copies.
func (m *Machine) restored(v *version, wire []byte) {
	if !v.tombstone() {
		v.kv.Put(bytes.Clone(wire))
	}
	m.pool.Add(&v.kv)
	if m.pool.Full() {
		m.pool.Cool(v.key, &v.kv)
	}
}
