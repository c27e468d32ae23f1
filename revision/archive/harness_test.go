package archive_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/archive"
	"github.com/zkine/zkine/revision/archive/objectstore"
	"github.com/zkine/zkine/revision/memzk"
	"github.com/zkine/zkine/revision/recordpb"
	"github.com/zkine/zkine/revision/zklog"
)

func quiet() *logrus.Entry {
	l := logrus.New()
	l.SetOutput(io.Discard)
	return logrus.NewEntry(l)
}

func noPace(context.Context) error { return nil }

// root is a log in memory, and what was appended to it.
type root struct {
	t        *testing.T
	ensemble *memzk.Ensemble
	log      *zklog.Log
	slots    []revision.Slot
	written  int64
	close    func()
}

// newRoot has segments of 8 slots.
func newRoot(t *testing.T) *root {
	t.Helper()
	r := &root{t: t, ensemble: memzk.New(), written: 1_000_000}
	r.open()
	return r
}

func (r *root) open() {
	log, err := zklog.Open(r.t.Context(), zklog.Config{Dialer: r.ensemble, Root: "/zkine", MaxSlots: 8, MaxRequest: 100 << 10, Log: quiet()})
	require.NoError(r.t, err)
	r.log = log
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			if _, err := log.Next(ctx); err != nil {
				return
			}
		}
	}()
	r.close = func() {
		cancel()
		<-done
		require.NoError(r.t, log.Close())
	}
	r.t.Cleanup(r.close)
}

// append appends so many batches, each a second after the one before. The last one is
// large, so that it lies in parts.
func (r *root) append(n int) {
	r.t.Helper()
	for i := range n {
		value := fmt.Sprint("value ", i)
		if i == n-1 {
			random := make([]byte, 300_000)
			rand.Read(random)
			value = string(random)
		}
		r.written += 1000
		batch := &revision.Batch{Nonce: revision.DrawNonce(rand.Reader), Origin: &revision.Origin{Written: r.written, Writer: "m"},
			Requests: []*recordpb.Request{{Kind: &recordpb.Request_Put{Put: &pb.PutRequest{Key: fmt.Append(nil, len(r.slots)), Value: []byte(value)}}}}}
		out, err := r.log.Append(r.t.Context(), batch)
		require.NoError(r.t, err)
		r.slots = append(r.slots, batch.At(out.Seq, 1))
	}
}

// checkpoint ends the open segment and checkpoints it. The revision is the number of
// slots, plus one.
func (r *root) checkpoint() (segment int64) {
	r.t.Helper()
	segment = r.log.Head().Segment
	require.NoError(r.t, r.log.Seal(r.t.Context(), segment))
	meta := &recordpb.CheckpointMeta{Revision: int64(len(r.slots) + 1), Segment: segment}
	if n := len(r.slots); n > 0 {
		meta.Segment, meta.Slot = r.slots[n-1].Seq.Segment, r.slots[n-1].Seq.Slot
	}
	encoded, err := proto.Marshal(meta)
	require.NoError(r.t, err)
	require.NoError(r.t, r.log.SaveCheckpoint(r.t.Context(), segment, revision.Rev(len(r.slots)+1), encoded,
		func(yield func([]byte) bool) error {
			for i := range 3 {
				if !yield([]byte(strings.Repeat(fmt.Sprint("chunk ", i, " of ", segment), 100))) {
					return nil
				}
			}
			return nil
		}, noPace))
	return segment
}

func (r *root) trim() {
	r.t.Helper()
	require.NoError(r.t, r.log.TrimAndPack(r.t.Context(), noPace))
}

// archiver archives the root, into a folder of its own if no store is given.
func (r *root) archiver(store archive.Store, adapt ...func(*archive.Config)) *archive.Archiver {
	r.t.Helper()
	cfg := archive.Config{Dialer: r.ensemble, Root: "/zkine", Store: store, Log: quiet()}
	for _, a := range adapt {
		a(&cfg)
	}
	a := archive.New(cfg)
	r.t.Cleanup(a.Close)
	return a
}

func folder(t *testing.T) (archive.Store, string) {
	t.Helper()
	path := t.TempDir()
	s, err := objectstore.Open(path, false)
	require.NoError(t, err)
	return s, path
}

func place(t *testing.T, s archive.Store) *archive.Place {
	t.Helper()
	p, err := archive.OpenPlace(t.Context(), s, "")
	require.NoError(t, err)
	return p
}

// read reads what follows on the checkpoint that is chosen.
func read(t *testing.T, s archive.Store, until archive.Until) (past *archive.Past, slots []revision.Slot, err error) {
	t.Helper()
	past, err = place(t, s).Past(t.Context(), until)
	if err != nil {
		return nil, nil, err
	}
	for slot, err := range past.Each(t.Context()) {
		if err != nil {
			return past, slots, err
		}
		slots = append(slots, slot.Slot)
	}
	return past, slots, nil
}

// same compares slots by place, nonce, origin and value.
func same(t *testing.T, want, got []revision.Slot) {
	t.Helper()
	require.Len(t, got, len(want))
	for i := range want {
		require.Equal(t, want[i].Seq, got[i].Seq)
		require.Equal(t, want[i].Nonce, got[i].Nonce)
		require.Equal(t, want[i].Origin, got[i].Origin)
		require.Equal(t, want[i].Requests[0].GetPut().GetValue(), got[i].Requests[0].GetPut().GetValue())
	}
}

// after is the slots of later segments.
func (r *root) after(segment int64) (slots []revision.Slot) {
	for _, s := range r.slots {
		if s.Seq.Segment > segment {
			slots = append(slots, s)
		}
	}
	return slots
}

func verify(t *testing.T, s archive.Store) *archive.Verified {
	t.Helper()
	v, err := place(t, s).Verify(t.Context(), nil)
	require.NoError(t, err)
	return v
}
