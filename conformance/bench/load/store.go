package load

import (
	"context"
	"fmt"
	"sync/atomic"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// store is what plans on an etcd have in common: connections, a client's writer, and the count of writes.
type store struct {
	job     Job
	conns   conns
	random  []byte
	clients []*client
	// writes are those that were acknowledged; each makes one revision.
	writes atomic.Int64
	first  int64 // revision before the first of them
}

// client is one client's own.
type client struct {
	writer
	keys []owned // that only it changes
	next int     // of keys
	made int     // how many it has created
	gone int     // how many of these it has deleted
	last int     // of keys: the one it wrote last, -1 before
	get  frame
	read rangeReply
}

// owned is a key and its version.
type owned struct {
	key []byte
	mod int64
}

func (s *store) connect(ctx context.Context) (err error) {
	if s.conns, err = connect(ctx, s.job.Endpoint, s.job.Clients, s.job.Connections); err != nil {
		return err
	}
	s.random = newPool(s.job.Seed)
	for i := range s.job.Clients {
		values := newValues(s.random, s.job.Seed, i, s.job.Value)
		s.clients = append(s.clients, &client{writer: writer{conn: s.conns.of(i), values: values}, last: -1})
	}
	s.first, err = s.revision(ctx)
	return err
}

func (s *store) rest(context.Context) error { return nil }

func (s *store) close() { s.conns.close() }

// revision reads the store's, linearizably.
func (s *store) revision(ctx context.Context) (int64, error) {
	var reply rangeReply
	err := call(ctx, s.conns.of(0), rangeMethod, readyRequest, &reply)
	return reply.revision, err
}

// own shares the data set's keys out to the clients.
func (s *store) own(ctx context.Context) error {
	request := prefixRequest(s.job.Prefix)
	request.KeysOnly = true
	found := 0
	reply := rangeReply{visit: func(kv keyValue) {
		c := s.clients[found%len(s.clients)]
		c.keys = append(c.keys, owned{key: []byte(string(kv.key)), mod: kv.mod})
		found++
	}}
	if err := call(ctx, s.conns.of(0), rangeMethod, mustMarshal(request), &reply); err != nil {
		return err
	}
	if found != s.job.Keys {
		return fmt.Errorf("%q has %d keys in place of %d", s.job.Prefix, found, s.job.Keys)
	}
	return nil
}

// updateNext updates the client's next key.
func (s *store) updateNext(ctx context.Context, c *client) error {
	c.next = (c.next + 1) % len(c.keys)
	k := &c.keys[c.next]
	revision, err := c.update(ctx, k.key, k.mod)
	if err != nil {
		return err
	}
	s.writes.Add(1)
	k.mod, c.last = revision, c.next
	return nil
}

// checkWrites sees to it that as many revisions were made as there were writes, and that the last key that each
// client wrote has the version that its writer was told. kine's revisions have holes, so that its are not counted.
func (s *store) checkWrites(ctx context.Context) error {
	last, err := s.revision(ctx)
	if err != nil {
		return err
	}
	if made := last - s.first; s.job.Dialect != Kine && made != s.writes.Load() {
		return fmt.Errorf("%d writes were acknowledged, and %d revisions made", s.writes.Load(), made)
	}
	for _, c := range s.clients {
		if c.last < 0 {
			continue
		}
		k := c.keys[c.last]
		if err := c.readKey(ctx, k.key, false); err != nil {
			return err
		}
		if c.read.last.mod != k.mod {
			return fmt.Errorf("%q was acknowledged at revision %d and is read at %d", k.key, k.mod, c.read.last.mod)
		}
	}
	return nil
}

// readKey reads a key that is there.
func (c *client) readKey(ctx context.Context, key []byte, serializable bool) error {
	var err error
	if c.get, err = marshal(c.get, &pb.RangeRequest{Key: key, Serializable: serializable}); err != nil {
		return err
	}
	if err := call(ctx, c.conn, rangeMethod, c.get, &c.read); err != nil {
		return err
	}
	if c.read.kvs != 1 || string(c.read.last.key) != string(key) || c.read.last.length != len(c.values.value) {
		return fmt.Errorf("read of %q: %d keys, the last %q with %d bytes", key, c.read.kvs, c.read.last.key, c.read.last.length)
	}
	return nil
}
