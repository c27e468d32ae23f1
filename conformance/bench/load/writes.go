package load

import (
	"context"
	"fmt"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// update changes keys that exist, each by one client: what controllers and kubelets do with the status of objects.
type update struct{ store }

func newUpdate(j Job) plan {
	if j.Dialect == Bare {
		return newBare(j)
	}
	return &update{store{job: j}}
}

func (u *update) prepare(ctx context.Context) error {
	if err := u.connect(ctx); err != nil {
		return err
	}
	return u.own(ctx)
}

func (u *update) op(ctx context.Context, client int, _ *tally) error {
	return u.updateNext(ctx, u.clients[client])
}

func (u *update) check(ctx context.Context, _ *Result) error { return u.checkWrites(ctx) }

// create makes keys that were not there.
type create struct{ store }

func newCreate(j Job) plan { return &create{store{job: j}} }

func (c *create) prepare(ctx context.Context) error { return c.connect(ctx) }

func (c *create) op(ctx context.Context, client int, _ *tally) error {
	_, err := c.createNext(ctx, c.clients[client], client)
	return err
}

// createNext creates a key that nobody has created before: the seed is another in each run.
func (s *store) createNext(ctx context.Context, c *client, client int) (owned, error) {
	key := fmt.Appendf(nil, "%snew-%08x-%04d-%07d", namespacePrefix(s.job.Prefix, c.made), s.job.Seed, client, c.made)
	revision, err := c.create(ctx, key)
	if err != nil {
		return owned{}, err
	}
	s.writes.Add(1)
	c.made++
	return owned{key, revision}, nil
}

func (c *create) check(ctx context.Context, _ *Result) error { return c.checkWrites(ctx) }

// mixed is what an API server that is not idle does to its store.
type mixed struct{ store }

func newMixed(j Job) plan { return &mixed{store{job: j}} }

func (m *mixed) prepare(ctx context.Context) error {
	if err := m.connect(ctx); err != nil {
		return err
	}
	return m.own(ctx)
}

// op is an update in 70 of 100 cases, a create in 5, a deletion in 5, a read in 15, the list of a namespace in 5. What
// is deleted is what the client created last, so that the data set stays as large as it is.
func (m *mixed) op(ctx context.Context, client int, t *tally) error {
	c := m.clients[client]
	switch dice := c.values.rng.IntN(100); {
	case dice < 70:
		return m.updateNext(ctx, c)
	case dice < 75, dice < 80 && c.extra() == 0:
		k, err := m.createNext(ctx, c, client)
		if err == nil {
			c.keys = append(c.keys, k)
		}
		return err
	case dice < 80:
		return m.removeLast(ctx, c)
	case dice < 95:
		t.items++
		return c.readKey(ctx, c.keys[c.values.rng.IntN(len(c.keys))].key, false)
	default:
		return m.list(ctx, c, t)
	}
}

// removeLast deletes the key that the client created last.
func (m *mixed) removeLast(ctx context.Context, c *client) error {
	k := c.keys[len(c.keys)-1]
	if _, err := c.remove(ctx, k.key, k.mod); err != nil {
		return err
	}
	m.writes.Add(1)
	c.keys, c.gone = c.keys[:len(c.keys)-1], c.gone+1
	if c.last == len(c.keys) {
		c.last = -1
	}
	return nil
}

// list lists a namespace as kubectl does, at most 500 at once.
func (m *mixed) list(ctx context.Context, c *client, t *tally) (err error) {
	request := prefixRequest(namespacePrefix(m.job.Prefix, c.values.rng.IntN(namespaces)))
	request.Limit = pageSize
	if c.get, err = marshal(c.get, request); err != nil {
		return err
	}
	if err := call(ctx, c.conn, rangeMethod, c.get, &c.read); err != nil {
		return err
	}
	if least := m.job.Keys / namespaces; c.read.kvs < least || int(c.read.count) < c.read.kvs {
		return fmt.Errorf("a namespace of at least %d keys is listed with %d, and counted as %d", least, c.read.kvs, c.read.count)
	}
	t.items, t.bytes = t.items+int64(c.read.kvs), t.bytes+c.read.bytes
	return nil
}

// check removes what is left of the created keys, for the next to find the data set as it was.
func (m *mixed) check(ctx context.Context, _ *Result) error {
	if err := m.checkWrites(ctx); err != nil {
		return err
	}
	for _, c := range m.clients {
		for c.extra() > 0 {
			if err := m.removeLast(ctx, c); err != nil {
				return err
			}
		}
	}
	return nil
}

// extra is how many keys that the client created still are there.
func (c *client) extra() int { return c.made - c.gone }

// puts puts keys without any condition, one after the other for each client, as a script with etcdctl or a test does.
type puts struct{ store }

func newPuts(j Job) plan { return &puts{store{job: j}} }

func (p *puts) prepare(ctx context.Context) error {
	if err := p.connect(ctx); err != nil {
		return err
	}
	return p.own(ctx)
}

func (p *puts) op(ctx context.Context, client int, _ *tally) (err error) {
	c := p.clients[client]
	c.next = (c.next + 1) % len(c.keys)
	k := &c.keys[c.next]
	if c.buffer, err = marshal(c.buffer, &pb.PutRequest{Key: k.key, Value: c.values.next()}); err != nil {
		return err
	}
	var reply txnReply // the header is the same field in both
	if err := call(ctx, c.conn, putMethod, c.buffer, &reply); err != nil {
		return err
	}
	p.writes.Add(1)
	k.mod, c.last = reply.revision, c.next
	return nil
}

func (p *puts) check(ctx context.Context, _ *Result) error { return p.checkWrites(ctx) }
