package load

import (
	"bytes"
	"fmt"
)

// rangeReply is what is looked at of a RangeResponse. A list is scanned for its keys alone; visit, if set, gets each
// key with its version, and must not keep the key.
type rangeReply struct {
	visit func(keyValue)

	revision, count int64
	kvs             int
	bytes           int64
	last            keyValue // its key is in the buffer
	buffer          []byte
}

func (r *rangeReply) Scan(message []byte) error {
	r.revision, r.count, r.kvs, r.bytes, r.last = 0, 0, 0, 0, keyValue{}
	return r.add(message)
}

// add scans one of several messages that are one reply.
func (r *rangeReply) add(message []byte) error {
	w := wire{rest: message}
	for w.next() {
		var err error
		switch w.number {
		case 1:
			r.revision, err = revision(w.bytes)
		case 2:
			err = r.addKeyValue(w.bytes)
		case 4:
			r.count = int64(w.n)
		}
		if err != nil {
			return err
		}
	}
	r.buffer = append(r.buffer[:0], r.last.key...)
	r.last.key = r.buffer
	return w.err
}

// addKeyValue also sees to it that keys ascend.
func (r *rangeReply) addKeyValue(message []byte) error {
	kv, err := scanKeyValue(message)
	if err != nil {
		return err
	}
	if bytes.Compare(r.last.key, kv.key) >= 0 {
		return fmt.Errorf("key %q comes after %q", kv.key, r.last.key)
	}
	r.kvs++
	r.bytes += int64(len(message))
	r.last = kv
	if r.visit != nil {
		r.visit(kv)
	}
	return nil
}

// streamReply gathers the messages of a RangeStream.
type streamReply struct{ rangeReply }

func (r *streamReply) Scan(message []byte) error {
	w := wire{rest: message}
	for w.next() {
		if w.number != 1 {
			continue
		}
		if err := r.add(w.bytes); err != nil {
			return err
		}
	}
	return w.err
}

// txnReply is what is looked at of a TxnResponse.
type txnReply struct {
	revision  int64
	succeeded bool
}

func (r *txnReply) Scan(message []byte) (err error) {
	*r = txnReply{}
	w := wire{rest: message}
	for w.next() {
		switch w.number {
		case 1:
			if r.revision, err = revision(w.bytes); err != nil {
				return err
			}
		case 2:
			r.succeeded = w.n != 0
		}
	}
	return w.err
}

// leaseReply is what is looked at of a LeaseGrantResponse or a LeaseKeepAliveResponse.
type leaseReply struct{ id, ttl int64 }

func (r *leaseReply) Scan(message []byte) error {
	*r = leaseReply{}
	w := wire{rest: message}
	for w.next() {
		switch w.number {
		case 2:
			r.id = int64(w.n)
		case 3:
			r.ttl = int64(w.n)
		}
	}
	return w.err
}

// anyReply is a reply that says nothing but that the request was done.
type anyReply struct{}

func (anyReply) Scan([]byte) error { return nil }
