package housekeep

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/backend/memlog"
	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
)

var errTestOver = errors.New("the test is over")

// member is a Housekeeper with the least around it that it needs: a log in memory,
// and a loop that applies it.
type member struct {
	*Housekeeper
	log     *memlog.Log
	quota   roomy
	tended  atomic.Int64
	failed  chan error // has room for one
	machine *state.Machine
	view    atomic.Pointer[state.View]

	mu      sync.Mutex
	applied chan struct{} // closed and replaced with each slot
	cancel  context.CancelCauseFunc
	loop    sync.WaitGroup
	begin   func() // with the loop
}

// roomy is a quota of which little is used, unless it is cramped.
type roomy struct {
	size, others atomic.Int64
	cramped      atomic.Bool
}

func (q *roomy) SetSize(bytes int64)   { q.size.Store(bytes) }
func (q *roomy) SetOthers(bytes int64) { q.others.Store(bytes) }
func (q *roomy) Cramped() bool         { return q.cramped.Load() }

// open has a member join a root and begin with the housekeeping; it ends with the test.
func open(t *testing.T, root *memlog.Store, id uint64, adapt ...func(*Config)) *member {
	t.Helper()
	m := newMember(root, id, adapt...)
	m.start(t, id)
	return m
}

// newMember is a member that has not begun to replay the log.
func newMember(root *memlog.Store, id uint64, adapt ...func(*Config)) *member {
	quiet := logrus.New()
	quiet.SetOutput(io.Discard)
	m := &member{log: root.Open(), machine: state.New(), failed: make(chan error, 1), applied: make(chan struct{})}
	var ctx context.Context
	ctx, m.cancel = context.WithCancelCause(context.Background())
	cfg := Config{Self: id, Log: logrus.NewEntry(quiet)}
	for _, f := range adapt {
		f(&cfg)
	}
	m.Housekeeper = New(ctx, cfg, Env{
		View:       m.view.Load,
		CatchUp:    m.catchUp,
		Propose:    m.propose,
		TendLeases: func(context.Context) { m.tended.Add(1) },
		Drained:    func() bool { return false },
		Fail: func(err error) {
			select {
			case m.failed <- err:
			default:
			}
		},
		Store: m.log, Members: m.log, Quota: &m.quota,
	})
	m.view.Store(m.machine.View())
	m.Loaded(m.view.Load())
	m.begin = func() { m.loop.Go(func() { m.applyLoop(ctx) }) }
	return m
}

// start has a member replay the log, join the root and begin with the
// housekeeping.
func (m *member) start(t *testing.T, id uint64) {
	t.Helper()
	m.begin()
	require.NoError(t, m.catchUp(t.Context()))
	require.NoError(t, m.log.Join(t.Context(), revision.Member{Name: fmt.Sprint(id), ID: id}))
	m.Refresh(t.Context())
	m.Start()
	t.Cleanup(m.close)
}

func (m *member) close() {
	m.cancel(errTestOver)
	m.Close(errTestOver)
	m.loop.Wait()
}

// applyLoop does what the backend's does.
func (m *member) applyLoop(ctx context.Context) {
	for {
		slot, err := m.log.Next(ctx)
		if err != nil {
			return
		}
		before := m.view.Load()
		if slot.Seq.Segment > before.Seq().Segment && before.Seq().Segment > 0 {
			m.SegmentEnded(before)
		}
		applied := m.machine.Apply(slot)
		view := m.machine.View()
		m.view.Store(view)
		m.Applied(before, view, applied)
		m.mu.Lock()
		close(m.applied)
		m.applied = make(chan struct{})
		m.mu.Unlock()
		m.Answered(before, view)
	}
}

// reach waits until a place in the log is applied.
func (m *member) reach(ctx context.Context, seq revision.Seq) error {
	for {
		m.mu.Lock()
		applied := m.applied
		m.mu.Unlock()
		if !m.view.Load().Seq().Before(seq) {
			return nil
		}
		select {
		case <-applied:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (m *member) catchUp(ctx context.Context) error {
	if _, err := m.log.Barrier(ctx); err != nil {
		return err
	}
	if head := m.log.Head(); head.Segment > 0 {
		return m.reach(ctx, head)
	}
	return nil // nothing was ever written
}

func (m *member) propose(ctx context.Context, r *recordpb.Request) error {
	out, err := m.log.Append(ctx, &revision.Batch{Nonce: revision.DrawNonce(rand.Reader), Requests: []*recordpb.Request{r}})
	if err != nil {
		return err
	}
	return m.reach(ctx, out.Seq)
}

// overwrite puts some keys, each many times over.
func (m *member) overwrite(t *testing.T, times int) {
	t.Helper()
	for i := range times {
		put := &pb.PutRequest{Key: []byte(fmt.Sprint("key", i%10)), Value: make([]byte, 1000)}
		require.NoError(t, m.propose(t.Context(), &recordpb.Request{Kind: &recordpb.Request_Put{Put: put}}))
	}
}

// needless is how many bytes no start needs.
func (m *member) needless() int64 {
	sizes := m.log.Sizes()
	return sizes.Total() - sizes.Live
}

// timeout bounds each wait of a test, in the time of its bubble.
const timeout = time.Minute

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	t.Cleanup(cancel)
	return ctx
}
