package wire

import (
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
)

// The encoding of the responses that matter, byte for byte what proto.Marshal
// makes of them. It knows the messages, where proto.Marshal looks them up field
// by field, and a large list goes into pooled buffers instead of one buffer that
// the garbage collector has to clear and take away.
//
// Messages are those that this server made: none has unknown fields. Field
// numbers are below 16, so that a tag is one byte.

// encode returns the encoding of v; false for a message that is not among
// those known here. The buffers are the caller's, to be freed; nothing in them
// points into v.
func encode(v any) (mem.BufferSlice, bool) {
	switch m := v.(type) {
	case *pb.RangeResponse:
		if parts := listParts(m); len(parts) > 1 {
			return encodeParts(parts), true
		}
		return encodeRange(m), true
	case *pb.RangeStreamResponse:
		size := sizeRange(m.RangeResponse)
		w := newBuffers(sizeMessage(m.RangeResponse != nil, size))
		if m.RangeResponse != nil {
			w.message(1, size)
			w.rangeResponse(m.RangeResponse)
		}
		return w.close(), true
	case *pb.PutResponse:
		w := newBuffers(sizePut(m))
		w.putResponse(m)
		return w.close(), true
	case *pb.DeleteRangeResponse:
		w := newBuffers(sizeDelete(m))
		w.deleteResponse(m)
		return w.close(), true
	case *pb.TxnResponse:
		w := newBuffers(sizeTxn(m))
		w.txnResponse(m)
		return w.close(), true
	case *pb.WatchResponse:
		if m.CancelReason != "" {
			return nil, false // rare, and a string has to be UTF-8
		}
		w := newBuffers(sizeWatch(m))
		w.watchResponse(m)
		return w.close(), true
	}
	return nil, false
}

// sizeOf is the size of the encoding of v; false for a message that encode does not
// know.
func sizeOf(v any) (int, bool) {
	switch m := v.(type) {
	case *pb.RangeResponse:
		return sizeRange(m), true
	case *pb.RangeStreamResponse:
		return sizeMessage(m.RangeResponse != nil, sizeRange(m.RangeResponse)), true
	case *pb.PutResponse:
		return sizePut(m), true
	case *pb.DeleteRangeResponse:
		return sizeDelete(m), true
	case *pb.TxnResponse:
		return sizeTxn(m), true
	case *pb.WatchResponse:
		return sizeWatch(m) + sizeBytes(len(m.CancelReason)), true
	}
	return 0, false
}

// Sizes of messages; 0 for nil.

func sizeRange(m *pb.RangeResponse) int {
	if m == nil {
		return 0
	}
	n := sizeMessage(m.Header != nil, sizeHeader(m.Header)) + sizeBool(m.More) + sizeInt(m.Count)
	for _, kv := range m.Kvs {
		n += sizeMessage(true, sizeKV(kv))
	}
	return n
}

func sizePut(m *pb.PutResponse) int {
	if m == nil {
		return 0
	}
	return sizeMessage(m.Header != nil, sizeHeader(m.Header)) + sizeMessage(m.PrevKv != nil, sizeKV(m.PrevKv))
}

func sizeDelete(m *pb.DeleteRangeResponse) int {
	if m == nil {
		return 0
	}
	n := sizeMessage(m.Header != nil, sizeHeader(m.Header)) + sizeInt(m.Deleted)
	for _, kv := range m.PrevKvs {
		n += sizeMessage(true, sizeKV(kv))
	}
	return n
}

func sizeTxn(m *pb.TxnResponse) int {
	if m == nil {
		return 0
	}
	n := sizeMessage(m.Header != nil, sizeHeader(m.Header)) + sizeBool(m.Succeeded)
	for _, op := range m.Responses {
		n += sizeMessage(true, sizeOp(op))
	}
	return n
}

func sizeOp(m *pb.ResponseOp) int {
	switch op := m.GetResponse().(type) {
	case *pb.ResponseOp_ResponseRange:
		return sizeMessage(true, sizeRange(op.ResponseRange))
	case *pb.ResponseOp_ResponsePut:
		return sizeMessage(true, sizePut(op.ResponsePut))
	case *pb.ResponseOp_ResponseDeleteRange:
		return sizeMessage(true, sizeDelete(op.ResponseDeleteRange))
	case *pb.ResponseOp_ResponseTxn:
		return sizeMessage(true, sizeTxn(op.ResponseTxn))
	}
	return 0
}

func sizeWatch(m *pb.WatchResponse) int {
	n := sizeMessage(m.Header != nil, sizeHeader(m.Header)) + sizeInt(m.WatchId) + sizeBool(m.Created) +
		sizeBool(m.Canceled) + sizeInt(m.CompactRevision) + sizeBool(m.Fragment)
	for _, e := range m.Events {
		n += sizeMessage(true, sizeEvent(e))
	}
	return n
}

func sizeEvent(m *mvccpb.Event) int {
	if m == nil {
		return 0
	}
	return sizeInt(int64(m.Type)) + sizeMessage(m.Kv != nil, sizeKV(m.Kv)) + sizeMessage(m.PrevKv != nil, sizeKV(m.PrevKv))
}

func sizeKV(m *mvccpb.KeyValue) int {
	if m == nil {
		return 0
	}
	return sizeBytes(len(m.Key)) + sizeInt(m.CreateRevision) + sizeInt(m.ModRevision) + sizeInt(m.Version) +
		sizeBytes(len(m.Value)) + sizeInt(m.Lease)
}

func sizeHeader(m *pb.ResponseHeader) int {
	if m == nil {
		return 0
	}
	return sizeInt(int64(m.ClusterId)) + sizeInt(int64(m.MemberId)) + sizeInt(m.Revision) + sizeInt(int64(m.RaftTerm))
}

// sizeMessage is the size of a field that holds a message of size bytes.
func sizeMessage(present bool, size int) int {
	if !present {
		return 0
	}
	return 1 + protowire.SizeBytes(size)
}

func sizeBytes(n int) int {
	if n == 0 {
		return 0
	}
	return 1 + protowire.SizeBytes(n)
}

func sizeInt(n int64) int {
	if n == 0 {
		return 0
	}
	return 1 + protowire.SizeVarint(uint64(n))
}

func sizeBool(b bool) int {
	if b {
		return 2
	}
	return 0
}

// Messages, without tag and length.

func (w *buffers) rangeResponse(m *pb.RangeResponse) {
	w.header(m.GetHeader())
	for _, kv := range m.GetKvs() {
		w.keyValue(2, kv)
	}
	w.bool(3, m.GetMore())
	w.int(4, m.GetCount())
}

func (w *buffers) putResponse(m *pb.PutResponse) {
	w.header(m.GetHeader())
	if kv := m.GetPrevKv(); kv != nil {
		w.keyValue(2, kv)
	}
}

func (w *buffers) deleteResponse(m *pb.DeleteRangeResponse) {
	w.header(m.GetHeader())
	w.int(2, m.GetDeleted())
	for _, kv := range m.GetPrevKvs() {
		w.keyValue(3, kv)
	}
}

func (w *buffers) txnResponse(m *pb.TxnResponse) {
	w.header(m.GetHeader())
	w.bool(2, m.GetSucceeded())
	for _, op := range m.GetResponses() {
		w.message(3, sizeOp(op))
		w.responseOp(op)
	}
}

func (w *buffers) responseOp(m *pb.ResponseOp) {
	switch op := m.GetResponse().(type) {
	case *pb.ResponseOp_ResponseRange:
		w.message(1, sizeRange(op.ResponseRange))
		w.rangeResponse(op.ResponseRange)
	case *pb.ResponseOp_ResponsePut:
		w.message(2, sizePut(op.ResponsePut))
		w.putResponse(op.ResponsePut)
	case *pb.ResponseOp_ResponseDeleteRange:
		w.message(3, sizeDelete(op.ResponseDeleteRange))
		w.deleteResponse(op.ResponseDeleteRange)
	case *pb.ResponseOp_ResponseTxn:
		w.message(4, sizeTxn(op.ResponseTxn))
		w.txnResponse(op.ResponseTxn)
	}
}

func (w *buffers) watchResponse(m *pb.WatchResponse) {
	w.header(m.Header)
	w.int(2, m.WatchId)
	w.bool(3, m.Created)
	w.bool(4, m.Canceled)
	w.int(5, m.CompactRevision)
	w.bool(7, m.Fragment)
	for _, e := range m.Events {
		w.message(11, sizeEvent(e))
		w.int(1, int64(e.GetType()))
		if kv := e.GetKv(); kv != nil {
			w.keyValue(2, kv)
		}
		if kv := e.GetPrevKv(); kv != nil {
			w.keyValue(3, kv)
		}
	}
}

// Fields, with tag and length.

func (w *buffers) header(m *pb.ResponseHeader) {
	if m == nil {
		return
	}
	size := sizeHeader(m)
	w.room(maxHead + size)
	w.head(1, size)
	w.int(1, int64(m.ClusterId))
	w.int(2, int64(m.MemberId))
	w.int(3, m.Revision)
	w.int(4, int64(m.RaftTerm))
}

func (w *buffers) keyValue(field protowire.Number, m *mvccpb.KeyValue) {
	size := sizeKV(m)
	w.room(maxHead + size)
	w.head(field, size)
	w.bytes(1, m.GetKey())
	w.int(2, m.GetCreateRevision())
	w.int(3, m.GetModRevision())
	w.int(4, m.GetVersion())
	w.bytes(5, m.GetValue())
	w.int(6, m.GetLease())
}
