package etcddb

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
)

// patience bounds each wait of a test; none is expected to come near.
const patience = 30 * time.Second

var errTestClosed = errors.New("closed")

// store is a machine whose state is shown as databases.
type store struct {
	*Snapshots
	machine *state.Machine
	slot    int64
	view    atomic.Pointer[state.View]
	failed  atomic.Bool
	cancel  context.CancelCauseFunc
}

func newStore(t testing.TB, dir string) *store {
	silent := logrus.New()
	silent.SetLevel(logrus.PanicLevel)
	s := &store{machine: state.New()}
	s.view.Store(s.machine.View())
	var ctx context.Context
	ctx, s.cancel = context.WithCancelCause(context.Background())
	s.Snapshots = NewSnapshots(ctx, Config{Dir: dir, Log: logrus.NewEntry(silent), Source: Source{
		View: s.view.Load,
		Failure: func() error {
			if s.failed.Load() {
				return errTestClosed
			}
			return nil
		},
	}})
	t.Cleanup(s.close)
	return s
}

// close does what the owner of Snapshots does.
func (s *store) close() {
	s.failed.Store(true)
	s.cancel(errTestClosed)
	s.Close(errTestClosed)
}

// apply applies a request in a slot of its own.
func (s *store) apply(t testing.TB, r *recordpb.Request) {
	t.Helper()
	slot := revision.Slot{Seq: revision.Seq{Segment: 1, Slot: s.slot}, Requests: []*recordpb.Request{r}}
	s.slot++
	binary.BigEndian.PutUint64(slot.Nonce[:], uint64(s.slot))
	for _, result := range s.machine.Apply(slot).Results {
		require.NoError(t, result.Err)
	}
	s.view.Store(s.machine.View())
}

func (s *store) put(t testing.TB, key, value string) {
	t.Helper()
	s.apply(t, &recordpb.Request{Kind: &recordpb.Request_Put{Put: &pb.PutRequest{Key: []byte(key), Value: []byte(value)}}})
}

// files is how many files of snapshots there are.
func (s *store) files() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.all)
}

// hold keeps the making of snapshots from beginning until release.
func (s *store) hold() (release func()) {
	s.building <- struct{}{}
	return func() { <-s.building }
}

// entriesIn makes a snapshot and counts the entries of a bucket in it; -1 if
// that fails, as the test does then.
func (s *store) entriesIn(t testing.TB, bucket string) (n int) {
	snapshot, err := s.Make(within(t))
	if !assert.NoError(t, err) {
		return -1
	}
	path := filepath.Join(t.TempDir(), "db")
	file, err := os.Create(path)
	if !assert.NoError(t, err) {
		return -1
	}
	_, err = snapshot.WriteTo(file)
	assert.NoError(t, errors.Join(err, file.Close(), snapshot.Close()))
	db, err := bbolt.Open(path, 0o400, &bbolt.Options{ReadOnly: true})
	if !assert.NoError(t, err) {
		return -1
	}
	defer db.Close()
	assert.NoError(t, db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte(bucket)).ForEach(func(_, _ []byte) error { n++; return nil })
	}))
	return n
}

func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// eventually waits for a condition that nothing announces.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for deadline := time.Now().Add(patience); !cond(); <-poll.C {
		require.True(t, time.Now().Before(deadline), "never: %s", what)
	}
}
