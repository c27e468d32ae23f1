package mirror

import (
	"context"
	"iter"
	"slices"
	"sort"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/zkine/zkine/backend/etcdapi"
	"github.com/zkine/zkine/backend/memlog"
)

// patience bounds every wait for what must come.
const patience = time.Minute

func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// model is a source in memory that counts versions as etcd does, or does not, as a kine.
type model struct {
	kine  bool
	whole bool

	mu      sync.Mutex
	rev     int64
	keys    map[string]*mvccpb.KeyValue
	changes []etcdapi.Changes
	news    chan struct{} // closed and replaced when there is more
	granted map[int64]int64
	// lost has a revision's events left out.
	lost int64
}

func newModel() *model {
	return &model{whole: true, rev: 1, keys: map[string]*mvccpb.KeyValue{}, news: make(chan struct{}), granted: map[int64]int64{}}
}

// change puts (a value) or deletes (nil) keys in one revision.
func (m *model) change(writes ...write) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rev++
	c := etcdapi.Changes{Revision: m.rev}
	for _, w := range writes {
		old := m.keys[w.key]
		if w.deletes {
			delete(m.keys, w.key)
			e := &mvccpb.Event{Type: mvccpb.Event_DELETE, Kv: &mvccpb.KeyValue{Key: []byte(w.key), ModRevision: m.rev}}
			if m.kine {
				e.PrevKv = old
			}
			c.Events = append(c.Events, e)
			continue
		}
		kv := &mvccpb.KeyValue{Key: []byte(w.key), Value: []byte(w.value), Lease: w.lease, CreateRevision: m.rev, ModRevision: m.rev, Version: 1}
		e := &mvccpb.Event{Kv: kv}
		if old != nil {
			kv.CreateRevision, kv.Version = old.CreateRevision, old.Version+1
			if m.kine {
				e.PrevKv = old
			}
		}
		m.keys[w.key] = kv
		c.Events = append(c.Events, e)
	}
	if m.lost != m.rev {
		m.changes = append(m.changes, c)
	}
	close(m.news)
	m.news = make(chan struct{})
}

type write struct {
	key, value string
	lease      int64
	deletes    bool
}

// gap is a revision that changes nothing.
func (m *model) gap() { m.change() }

func (m *model) Kind() etcdapi.Kind {
	if m.kine {
		return etcdapi.Kine
	}
	return etcdapi.Etcd
}

func (m *model) Whole() bool { return m.whole }

func (m *model) Current(context.Context) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.rev, nil
}

func (m *model) Follow(ctx context.Context, from int64) iter.Seq2[etcdapi.Changes, error] {
	return func(yield func(etcdapi.Changes, error) bool) {
		for {
			m.mu.Lock()
			i := sort.Search(len(m.changes), func(i int) bool { return m.changes[i].Revision >= from })
			next, news, rev := slices.Clone(m.changes[i:]), m.news, m.rev
			m.mu.Unlock()
			for _, c := range next {
				from = c.Revision + 1
				if len(c.Events) > 0 && !yield(c, nil) {
					return
				}
			}
			if m.Kind() == etcdapi.Kine || !m.whole { // they say how far they are
				if !yield(etcdapi.Changes{Revision: rev}, nil) {
					return
				}
			}
			select {
			case <-news:
			case <-ctx.Done():
				yield(etcdapi.Changes{}, context.Cause(ctx))
				return
			}
		}
	}
}

func (m *model) FloorEvents(_ context.Context, rev int64) ([]*mvccpb.Event, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.changes {
		if c.Revision == rev {
			return c.Events, nil
		}
	}
	return nil, nil
}

func (m *model) Keys(_ context.Context, rev int64) iter.Seq2[*mvccpb.KeyValue, error] {
	return func(yield func(*mvccpb.KeyValue, error) bool) {
		m.mu.Lock()
		at := map[string]*mvccpb.KeyValue{}
		for _, c := range m.changes {
			for _, e := range c.Events {
				if c.Revision > rev {
					continue
				}
				at[string(e.Kv.Key)] = e.Kv
				if e.Type == mvccpb.Event_DELETE {
					delete(at, string(e.Kv.Key))
				}
			}
		}
		m.mu.Unlock()
		names := make([]string, 0, len(at))
		for name := range at {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			if !yield(at[name], nil) {
				return
			}
		}
	}
}

func (m *model) Lease(_ context.Context, id int64) (etcdapi.Lease, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if ttl := m.granted[id]; ttl != 0 {
		return etcdapi.Lease{ID: id, TTL: ttl}, nil
	}
	return etcdapi.Lease{ID: id, TTL: 100 + id}, nil
}

func (m *model) Leases(context.Context) (leases []etcdapi.Lease, can bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, ttl := range m.granted {
		leases = append(leases, etcdapi.Lease{ID: id, TTL: ttl})
	}
	return leases, true, nil
}

// alone is a root in memory that nothing else writes.
func alone(t testing.TB, store *memlog.Store) *Alone {
	t.Helper()
	log := store.Open()
	t.Cleanup(func() { log.Close() })
	a, err := LoadAlone(within(t), log)
	require.NoError(t, err)
	return a
}

// follow has a root follow until it has all that the model has now.
func follow(t testing.TB, m *model, a *Alone) error {
	t.Helper()
	stop := make(chan struct{})
	close(stop)
	return (&Follower{Source: m, Root: a}).Run(within(t), stop)
}

func newModelPut(rev int64, key, value string) []*mvccpb.Event {
	return []*mvccpb.Event{{Kv: &mvccpb.KeyValue{Key: []byte(key), Value: []byte(value), CreateRevision: rev, ModRevision: rev, Version: 1}}}
}
