package transport

import (
	"encoding/binary"
	"fmt"
	"sync"
)

// ZooKeeper's opcodes (ZooDefs.OpCode).
const (
	opCreate          int32 = 1
	opDelete          int32 = 2
	opExists          int32 = 3
	opGetData         int32 = 4
	opSetData         int32 = 5
	opGetACL          int32 = 6
	opSetACL          int32 = 7
	opGetChildren     int32 = 8
	opSync            int32 = 9
	opPing            int32 = 11
	opGetChildren2    int32 = 12
	opCheck           int32 = 13
	opMulti           int32 = 14
	opCreateContainer int32 = 19
	opCreateTTL       int32 = 21
	opMultiRead       int32 = 22
	opSetAuth         int32 = 100
	opSetWatches      int32 = 101
	opSASL            int32 = 102
	opCloseSession    int32 = -11
	opError           int32 = -1 // only in the reply to a multi
)

// formOf is the body of a reply; that of another opcode is not looked into.
func formOf(opcode int32) form {
	switch opcode {
	case opMulti:
		return formMulti
	case opMultiRead:
		return formReads
	case opGetData:
		return formData
	case opGetChildren2:
		return formNamesStat
	case opExists, opSetData, opSetACL:
		return formStat
	case opCreate, opCreateContainer, opCreateTTL, opSync:
		return formString
	case opGetACL:
		return formACL
	case opGetChildren:
		return formNames
	case opSASL:
		return formBuffer
	case opDelete, opCheck, opPing, opSetAuth, opSetWatches, opCloseSession:
		return formNone
	default:
		return formAny
	}
}

// request is one that was sent.
type request struct {
	xid  int32
	form form
	size int   // of the request, in bytes
	own  *Call // nil for the client's
}

const (
	// leastOp is the length of the smallest operation of a multi, leastRead that of one
	// of a multi of reads.
	leastOp   = 18
	leastRead = 14
	// opGrowth is how many times longer the result of an operation may be than
	// the operation: setData's of an empty value has a znode's stat.
	opGrowth = 4
)

// bound is how long the reply may be, in bytes, if it is no read's. That of a
// multi has a result for each operation.
func (q request) bound() int {
	if q.form == formMulti {
		return smallReply + opGrowth*q.size
	}
	return smallReply
}

// results is how many results the reply to a multi may have.
func (q request) results() int {
	if q.form == formReads {
		return q.size / leastRead
	}
	return q.size / leastOp
}

// requests are those that were sent and not answered. Several goroutines may use
// it.
type requests struct {
	traffic *Traffic // nil if nothing is counted

	mu    sync.Mutex
	first bool      // the connect request was sent
	open  []request // from head on, as they were sent
	head  int
	pings int
	bytes int // of those that are open

	lastOwn int32 // the latest xid of one's own
	ended   error // why no request of one's own may begin any more
}

// note takes the bytes of one request.
func (r *requests) note(p []byte) error {
	if len(p) < lengthSize || int64(binary.BigEndian.Uint32(p)) != int64(len(p)-lengthSize) {
		return fmt.Errorf("%w: %d bytes", ErrBadRequest, len(p))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.first {
		r.first = true
		return nil
	}
	if len(p) < lengthSize+8 {
		return fmt.Errorf("%w: %d bytes", ErrBadRequest, len(p))
	}
	xid, opcode := int32(binary.BigEndian.Uint32(p[4:])), int32(binary.BigEndian.Uint32(p[8:]))
	r.traffic.sent(opcode)
	if xid == xidPing {
		r.pings++
		return nil
	}
	if xid >= firstOwn {
		return fmt.Errorf("%w: the client has sent as many as a connection may have", ErrBadRequest)
	}
	r.add(request{xid: xid, form: formOf(opcode), size: len(p)})
	return nil
}

// add notes a request that is about to be sent. The lock is held.
func (r *requests) add(q request) {
	if r.head > len(r.open)/2 && len(r.open) == cap(r.open) { // room again, before more is taken
		r.open = r.open[:copy(r.open, r.open[r.head:])]
		r.head = 0
	}
	r.open = append(r.open, q)
	r.bytes += q.size
}

// take returns the request that a reply answers, once; false if there is none.
// Watch events and pings have no xid of their own.
func (r *requests) take(xid int32) (request, bool) {
	if xid == xidEvent {
		r.traffic.event()
		return request{form: formEvent}, true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if xid == xidPing {
		if r.pings == 0 {
			return request{}, false
		}
		r.pings--
		return request{form: formNone}, true
	}
	// ZooKeeper answers in order, all but refusals.
	for at := r.head; at < len(r.open); at++ {
		if q := r.open[at]; q.xid == xid {
			copy(r.open[r.head+1:at+1], r.open[r.head:at])
			r.open[r.head] = request{}
			r.head++
			r.bytes -= q.size
			return q, true
		}
	}
	return request{}, false
}
