package transport

import (
	"iter"
	"sync/atomic"
)

// Traffic counts what goes over connections, of which several may share one. Its
// zero value is ready, and may be used by many at once.
type Traffic struct {
	requests [len(counted) + 1]atomic.Int64 // by the index in counted; the last is of all others
	events   atomic.Int64
}

// counted are the requests that are told apart, by ZooKeeper's names for them.
var counted = [...]struct {
	opcode int32
	name   string
}{
	{opMulti, "multi"}, {opMultiRead, "multiRead"}, {opGetData, "getData"}, {opExists, "exists"}, {opGetChildren2, "getChildren"}, {opPing, "ping"},
}

// sent counts a request. A nil Traffic counts nothing.
func (t *Traffic) sent(opcode int32) {
	if t == nil {
		return
	}
	for i, c := range counted {
		if c.opcode == opcode {
			t.requests[i].Add(1)
			return
		}
	}
	t.requests[len(counted)].Add(1)
}

// event counts a watch event.
func (t *Traffic) event() {
	if t != nil {
		t.events.Add(1)
	}
}

// Requests yields how many requests were sent, by ZooKeeper's name for them;
// "other" are those of rare kinds. Always the same names come.
func (t *Traffic) Requests() iter.Seq2[string, int64] {
	return func(yield func(string, int64) bool) {
		for i, c := range counted {
			if !yield(c.name, t.requests[i].Load()) {
				return
			}
		}
		yield("other", t.requests[len(counted)].Load())
	}
}

// Events is how many watch events were received.
func (t *Traffic) Events() int64 { return t.events.Load() }
