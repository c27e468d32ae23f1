package load

import (
	"bytes"
	"fmt"

	"google.golang.org/grpc/mem"
)

// rangeReply is what is looked at of a RangeResponse. A list is scanned for its keys alone; visit, if set, gets each
// key with its version.
type rangeReply struct {
	visit func(keyValue)

	revision, count int64
	kvs             int
	bytes           int64
	last            keyValue
	previous        []byte
}

func (r *rangeReply) reset() {
	r.revision, r.count, r.kvs, r.bytes, r.previous = 0, 0, 0, 0, r.previous[:0]
}

func (r *rangeReply) scan(b *mem.Reader) error {
	r.reset()
	return r.scanMessage(wire{b}, 0)
}

func (r *rangeReply) scanMessage(w wire, end int) error {
	return w.each(end, func(f field) (err error) {
		switch f.number {
		case 1:
			r.revision, err = w.revision(f)
		case 2:
			err = r.scanKeyValue(w, f)
		case 4:
			r.count = int64(f.n)
		}
		return err
	})
}

// scanKeyValue also sees to it that keys ascend.
func (r *rangeReply) scanKeyValue(w wire, f field) error {
	r.kvs++
	r.bytes += int64(f.n)
	if err := w.keyValue(f, &r.last); err != nil {
		return err
	}
	if bytes.Compare(r.previous, r.last.key) >= 0 {
		return fmt.Errorf("key %q comes after %q", r.last.key, r.previous)
	}
	r.previous = append(r.previous[:0], r.last.key...)
	if r.visit != nil {
		r.visit(r.last)
	}
	return nil
}

// streamReply gathers the messages of a RangeStream.
type streamReply struct{ rangeReply }

func (r *streamReply) scan(b *mem.Reader) error {
	w := wire{b}
	return w.each(0, func(f field) error {
		if f.number != 1 {
			return nil
		}
		return r.scanMessage(w, w.end(f))
	})
}

// txnReply is what is looked at of a TxnResponse.
type txnReply struct {
	revision  int64
	succeeded bool
}

func (r *txnReply) scan(b *mem.Reader) error {
	*r = txnReply{}
	w := wire{b}
	return w.each(0, func(f field) (err error) {
		switch f.number {
		case 1:
			r.revision, err = w.revision(f)
		case 2:
			r.succeeded = f.n != 0
		}
		return err
	})
}

// leaseReply is what is looked at of a LeaseGrantResponse or a LeaseKeepAliveResponse.
type leaseReply struct{ id, ttl int64 }

func (r *leaseReply) scan(b *mem.Reader) error {
	*r = leaseReply{}
	return wire{b}.each(0, func(f field) error {
		switch f.number {
		case 2:
			r.id = int64(f.n)
		case 3:
			r.ttl = int64(f.n)
		}
		return nil
	})
}

// anyReply is a reply that says nothing but that the request was done.
type anyReply struct{}

func (anyReply) scan(*mem.Reader) error { return nil }
