package packed

import "sync/atomic"

// Pool is values, of which the machine that owns them keeps so many bytes warm,
// and packs the rest. One goroutine calls its methods.
type Pool struct {
	// warm is the bytes of values that are neither packed nor stay as they are.
	warm   atomic.Int64
	room   int64
	packer packer
}

// NewPool keeps room bytes warm, and half as much again if readers want it.
func NewPool(room int64) *Pool {
	p := &Pool{room: room}
	p.packer = packer{pool: p, kinds: make(map[string]*kind)}
	return p
}

// Put makes v, which must be empty, hold bytes, which belong to it from then on.
// It is no part of the pool before Add.
func (v *Value) Put(bytes []byte) {
	v.size = uint32(len(bytes))
	c := &cell{bytes: bytes}
	if len(bytes) < minSize {
		c.with = stays
	}
	v.cell.Store(c)
}

// Add takes v into the pool, warm.
func (p *Pool) Add(v *Value) {
	if c := v.cell.Load(); c != nil && c.with == nil {
		p.warm.Add(int64(v.size))
	}
}

// Drop takes v out of the pool. It can be read for ever, and stays as it is then.
func (p *Pool) Drop(v *Value) {
	for {
		c := v.cell.Load()
		if c == nil || c.with == stays || c.dropped {
			return
		}
		if v.cell.CompareAndSwap(c, &cell{with: c.with, bytes: c.bytes, dropped: true}) {
			if c.with == nil {
				p.warm.Add(-int64(v.size))
			}
			return
		}
	}
}

// Full says whether more is warm than there is room for.
func (p *Pool) Full() bool { return p.warm.Load() > p.room }

// Cool packs v, unless it was read since the last call; it will be by the next
// one. It says whether it has tried. key says what the value is like.
func (p *Pool) Cool(key string, v *Value) (tried bool) {
	c := v.cell.Load()
	switch {
	case c == nil || c.dropped:
		return false
	case v.heat.Load() != 0:
		v.heat.Store(0)
		return false
	case c.with != nil:
		return false
	}
	small := p.packer.pack(key, c.bytes)
	if small == nil {
		small = &cell{with: stays, bytes: c.bytes}
	}
	// Readers leave a warm cell alone.
	v.cell.Store(small)
	p.warm.Add(-int64(v.size))
	return true
}

// warmAgain replaces v's packed cell, if there is room. Any goroutine may call it.
func (p *Pool) warmAgain(v *Value, packed *cell, value []byte) {
	size, room := int64(len(value)), p.room+p.room/2
	if packed.dropped || p.warm.Load()+size > room {
		return
	}
	// It is counted first: readers who come together would all find the same room.
	if p.warm.Add(size) > room || !v.cell.CompareAndSwap(packed, &cell{bytes: value}) {
		p.warm.Add(-size)
	}
}
