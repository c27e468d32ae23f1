package load

import (
	"context"
	"fmt"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// stubs are connections of grpc-go's client with etcd's generated stubs, on which clientv3 and so most users' programs
// are built. The same requests through them take a good part of the processors that are shared with the servers, and
// that is what users see who run both on one machine.
type stubs struct {
	conns []*grpc.ClientConn
	kvs   []pb.KVClient
}

func (s *stubs) dial(j Job) error {
	for range max(1, min(j.Clients, j.Connections)) {
		conn, err := grpc.NewClient(j.Endpoint, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			return err
		}
		s.conns, s.kvs = append(s.conns, conn), append(s.kvs, pb.NewKVClient(conn))
	}
	return nil
}

func (s *stubs) of(client int) pb.KVClient { return s.kvs[client%len(s.kvs)] }

func (s *stubs) hangUp() {
	for _, conn := range s.conns {
		conn.Close()
	}
}

// updateGo is update by grpc-go's client. What comes before and after the clock runs is the lean client's.
type updateGo struct {
	update
	stubs
}

func newUpdateGo(j Job) plan { return &updateGo{update: update{store{job: j}}} }

func (u *updateGo) prepare(ctx context.Context) error {
	if err := u.dial(u.job); err != nil {
		return err
	}
	return u.update.prepare(ctx)
}

func (u *updateGo) op(ctx context.Context, client int, _ *tally) error {
	c := u.clients[client]
	c.next = (c.next + 1) % len(c.keys)
	k := &c.keys[c.next]
	reply, err := u.stubs.of(client).Txn(ctx, updateRequest(k.key, c.values.next(), k.mod))
	if err != nil {
		return fmt.Errorf("%s is refused: %w", txnMethod, err)
	}
	if !reply.Succeeded {
		return fmt.Errorf("update of %q: %w", k.key, errCompare)
	}
	u.writes.Add(1)
	k.mod, c.last = reply.Header.Revision, c.next
	return nil
}

func (u *updateGo) close() {
	u.hangUp()
	u.update.close()
}

// getGo is get by grpc-go's client.
type getGo struct {
	get
	stubs
}

func newGetGo(j Job) plan { return &getGo{get: get{store: store{job: j}}} }

func (g *getGo) prepare(ctx context.Context) error {
	if err := g.dial(g.job); err != nil {
		return err
	}
	return g.get.prepare(ctx)
}

func (g *getGo) op(ctx context.Context, client int, t *tally) error {
	c := g.clients[client]
	c.next = (c.next + 1) % len(c.keys)
	key := c.keys[c.next].key
	reply, err := g.stubs.of(client).Range(ctx, &pb.RangeRequest{Key: key})
	if err != nil {
		return fmt.Errorf("%s is refused: %w", rangeMethod, err)
	}
	if len(reply.Kvs) != 1 || string(reply.Kvs[0].Key) != string(key) || len(reply.Kvs[0].Value) != len(c.values.value) {
		return fmt.Errorf("read of %q: %d keys", key, len(reply.Kvs))
	}
	t.items++
	return nil
}

func (g *getGo) close() {
	g.hangUp()
	g.get.close()
}
