package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/status"
)

const (
	// countedFrom is the size in bytes from which a JSON message counts. What is
	// smaller takes no more than the connection that brings it.
	countedFrom = 64 << 10
	// memoryFactor is what a byte of JSON takes until the call is made: it is in a
	// buffer that grows by doubling, in a copy of the message, and in what is decoded.
	memoryFactor = 4
	// maxReading bounds what all JSON messages that are being read take in memory, in
	// bytes.
	maxReading = 512 << 20
	// messageTime is how long a message that counts may take to come.
	messageTime = 30 * time.Second
)

// reading is how many bytes the messages take in memory that are being read, and how
// many they may.
type reading struct {
	max   int64
	bytes atomic.Int64
}

func (r *reading) take(n int64) bool {
	if r.bytes.Add(n) > r.max {
		r.bytes.Add(-n)
		return false
	}
	return true
}

// body is a request's body, of which each JSON message is bounded. One goroutine
// reads it.
//
// Invariant: taken is the request's share of all.
type body struct {
	io.ReadCloser
	limit    int64
	all      *reading
	fail     context.CancelCauseFunc // of the request's context
	deadline func(time.Time) error   // of reading

	message int64        // bytes read for the message that is being decoded
	taken   atomic.Int64 // bytes of memory
	// answered gives back the room of the answer that is being written; nil for none.
	// It is the handler's.
	answered func()
}

// bodyKey is the key of a request's body in its context.
type bodyKey struct{}

// bounded gives a request a bounded body; done is called when it is answered.
func bounded(w http.ResponseWriter, r *http.Request, limit int64, all *reading) (_ *http.Request, done func()) {
	ctx, fail := context.WithCancelCause(r.Context())
	b := &body{ReadCloser: r.Body, limit: limit, all: all, fail: fail, deadline: http.NewResponseController(w).SetReadDeadline}
	r = r.WithContext(context.WithValue(ctx, bodyKey{}, b))
	r.Body = b
	return r, func() {
		b.release()
		b.freeAnswer()
		fail(nil)
	}
}

// Read implements io.Reader. Errors: ErrGRPCRequestTooLarge, ErrGRPCTooManyRequests,
// which end the request too; those of reading.
func (b *body) Read(p []byte) (int, error) {
	if b.message >= b.limit {
		return 0, b.refuse(rpctypes.ErrGRPCRequestTooLarge)
	}
	p = p[:min(int64(len(p)), b.limit-b.message)]
	if b.message+int64(len(p)) > countedFrom {
		if b.taken.Load() == 0 {
			_ = b.deadline(time.Now().Add(messageTime)) // what has none is not slow
		}
		n := memoryFactor*(b.message+int64(len(p))) - b.taken.Load()
		if !b.all.take(n) {
			return 0, b.refuse(rpctypes.ErrGRPCRequestTooManyRequests)
		}
		b.taken.Add(n)
	}
	n, err := b.ReadCloser.Read(p)
	b.message += int64(n)
	return n, err
}

func (b *body) refuse(err error) error {
	b.fail(err)
	return err
}

// begin begins a message: what was counted for the one before is not needed any more.
func (b *body) begin() {
	b.message = 0
	b.release()
}

// complete notes that a message is there: the next one may come whenever it likes.
func (b *body) complete() {
	if b.taken.Load() > 0 {
		_ = b.deadline(time.Time{})
	}
}

func (b *body) release() { b.all.bytes.Add(-b.taken.Swap(0)) }

func (b *body) freeAnswer() {
	if b.answered != nil {
		b.answered()
		b.answered = nil
	}
}

// refused is why a request of this context was refused, nil if it was not.
func refused(ctx context.Context) error {
	if cause := context.Cause(ctx); cause != nil && ctx.Err() != cause { //nolint:errorlint // a context's end is its own cause
		if _, ok := status.FromError(cause); ok {
			return cause
		}
	}
	return nil
}

// marshaler is grpc-gateway's, with decoders that keep to the bounds of a body.
type marshaler struct{ runtime.JSONPb }

func (m *marshaler) NewDecoder(r io.Reader) runtime.Decoder {
	b, ok := r.(*body)
	if !ok {
		return m.JSONPb.NewDecoder(r)
	}
	return &decoder{marshaler: m, body: b, json: json.NewDecoder(b)}
}

// decoder reads messages from a body.
type decoder struct {
	marshaler *marshaler
	body      *body
	json      *json.Decoder
}

// Decode reads the next message into v.
func (d *decoder) Decode(v any) error {
	if d.body.message > countedFrom {
		d.shrink()
	}
	d.body.begin()
	var message json.RawMessage
	if err := d.json.Decode(&message); err != nil {
		return err
	}
	d.body.complete()
	return d.marshaler.Unmarshal(message, v)
}

// shrink gives back the buffer that a large message has left behind.
func (d *decoder) shrink() {
	var rest bytes.Buffer
	_, _ = rest.ReadFrom(d.json.Buffered()) // from memory
	d.json = json.NewDecoder(io.MultiReader(bytes.NewReader(bytes.Clone(rest.Bytes())), d.body))
}
