package state

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
)

// newRand is a source whose seed is printed if the test fails.
func newRand(t testing.TB) *rand.Rand {
	seed := uint64(time.Now().UnixNano())
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	})
	return rand.New(rand.NewPCG(seed, 0))
}

// slotWriter numbers slots as a log does.
type slotWriter struct{ seq revision.Seq }

func (w *slotWriter) slot(requests ...*recordpb.Request) revision.Slot {
	if w.seq.Segment == 0 {
		w.seq = revision.Seq{Segment: 1, Slot: -1}
	}
	w.seq.Slot++
	s := revision.Slot{Seq: w.seq, Term: uint64(w.seq.Segment), Requests: requests}
	binary.BigEndian.PutUint64(s.Nonce[:], uint64(w.seq.Slot)+1)
	return s
}

func (w *slotWriter) rotate() { w.seq = revision.Seq{Segment: w.seq.Segment + 1, Slot: -1} }

// bench is a machine that is fed one request at a time.
type bench struct {
	t testing.TB
	*Machine
	slotWriter
}

func newBench(t testing.TB) *bench { return &bench{t: t, Machine: New()} }

// do applies one request, in a slot of its own.
func (b *bench) do(message any) (proto.Message, error) {
	b.t.Helper()
	a := b.Apply(b.slot(request(message)))
	if a.Duplicate || len(a.Results) != 1 {
		b.t.Fatalf("slot was not applied: %+v", a)
	}
	return a.Results[0].Response, a.Results[0].Err
}

// ok is do for what must succeed.
func (b *bench) ok(message any) proto.Message {
	b.t.Helper()
	resp, err := b.do(message)
	if err != nil {
		b.t.Fatalf("%v: %v", message, err)
	}
	return resp
}

// fails is do for what must fail with an error, and leave the state as it was.
func (b *bench) fails(message any, want error) {
	b.t.Helper()
	rev, bytes := b.View().Rev(), b.View().store.liveBytes
	resp, err := b.do(message)
	if err != want || resp != nil {
		b.t.Fatalf("%v: got %v, %v, want error %v", message, resp, err, want)
	}
	if v := b.View(); v.Rev() != rev || v.store.liveBytes != bytes {
		b.t.Fatalf("%v: failed, and changed something", message)
	}
}

func digestOf(t testing.TB, m *Machine) uint64 {
	t.Helper()
	d, err := m.View().Digest()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func text(m proto.Message) string {
	if m == nil {
		return "nothing"
	}
	return prototext.Format(m)
}

// same fails the test unless two answers are the same.
func same(t testing.TB, what string, got proto.Message, gotErr error, want proto.Message, wantErr error) {
	t.Helper()
	if gotErr != wantErr || gotErr == nil && !proto.Equal(got, want) {
		t.Fatalf("%s\ngot  %v %s\nwant %v %s", what, gotErr, text(got), wantErr, text(want))
	}
}
