package load

import (
	"context"
	"fmt"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// get reads single keys.
type get struct {
	store
	serializable bool
}

func newGet(j Job, serializable bool) plan {
	return &get{store: store{job: j}, serializable: serializable}
}

func (g *get) prepare(ctx context.Context) error {
	if err := g.connect(ctx); err != nil {
		return err
	}
	return g.own(ctx)
}

func (g *get) op(ctx context.Context, client int, t *tally) error {
	c := g.clients[client]
	c.next = (c.next + 1) % len(c.keys)
	t.items++
	return c.readKey(ctx, c.keys[c.next].key, g.serializable)
}

func (g *get) check(context.Context, *Result) error { return nil }

// ranges is what reads of whole data sets have in common.
type ranges struct {
	store
	request frame
}

func newRanges(j Job, change func(*pb.RangeRequest)) ranges {
	request := prefixRequest(j.Prefix)
	change(request)
	return ranges{store: store{job: j}, request: mustMarshal(request)}
}

func (r *ranges) prepare(ctx context.Context) error    { return r.connect(ctx) }
func (r *ranges) check(context.Context, *Result) error { return nil }
func (r *ranges) whole(reply *rangeReply, kvs int, t *tally) error {
	if kvs != r.job.Keys || int(reply.count) != r.job.Keys {
		return fmt.Errorf("a data set of %d keys is listed with %d, and counted as %d", r.job.Keys, kvs, reply.count)
	}
	t.items += int64(kvs)
	return nil
}

// list reads a data set with one request, as kube-apiserver fills its cache from an etcd before 3.7.
type list struct{ ranges }

func newList(j Job) plan { return &list{newRanges(j, func(*pb.RangeRequest) {})} }

func (l *list) op(ctx context.Context, client int, t *tally) error {
	c := l.clients[client]
	if err := call(ctx, c.conn, rangeMethod, l.request, &c.read); err != nil {
		return err
	}
	t.bytes += c.read.bytes
	return l.whole(&c.read, c.read.kvs, t)
}

// count asks how many keys there are.
type count struct{ ranges }

func newCount(j Job) plan {
	return &count{newRanges(j, func(r *pb.RangeRequest) { r.CountOnly = true })}
}

func (c *count) op(ctx context.Context, client int, _ *tally) error {
	cl := c.clients[client]
	if err := call(ctx, cl.conn, rangeMethod, c.request, &cl.read); err != nil {
		return err
	}
	if int(cl.read.count) != c.job.Keys || cl.read.kvs != 0 {
		return fmt.Errorf("a data set of %d keys is counted as %d, with %d keys", c.job.Keys, cl.read.count, cl.read.kvs)
	}
	return nil
}

// pageSize is kubectl's.
const pageSize = 500

// paged reads a data set page by page, all at the revision of the first one. An operation is the whole.
type paged struct{ ranges }

func newPaged(j Job) plan { return &paged{newRanges(j, func(*pb.RangeRequest) {})} }

func (p *paged) op(ctx context.Context, client int, t *tally) (err error) {
	c := p.clients[client]
	request := prefixRequest(p.job.Prefix)
	request.Limit = pageSize
	for kvs := 0; ; {
		if c.get, err = marshal(c.get, request); err != nil {
			return err
		}
		if err := call(ctx, c.conn, rangeMethod, c.get, &c.read); err != nil {
			return err
		}
		kvs += c.read.kvs
		t.bytes += c.read.bytes
		if c.read.count != int64(p.job.Keys-kvs+c.read.kvs) {
			return fmt.Errorf("after %d of %d keys a page of %d counts %d to come", kvs-c.read.kvs, p.job.Keys, c.read.kvs, c.read.count)
		}
		if c.read.kvs < pageSize || kvs == p.job.Keys {
			t.items += int64(kvs)
			return nil
		}
		request.Revision = c.read.revision
		request.Key = append(append(request.Key[:0], c.read.last.key...), 0)
	}
}

// rangeStream reads a data set as a stream, as kube-apiserver does since 1.37.
type rangeStream struct{ ranges }

func newRangeStream(j Job) plan {
	return &rangeStream{newRanges(j, func(*pb.RangeRequest) {})}
}

func (r *rangeStream) op(ctx context.Context, client int, t *tally) error {
	c := r.clients[client]
	reply := &streamReply{}
	if _, err := c.conn.Collect(ctx, rangeStreamMethod, r.request, reply); err != nil {
		return fmt.Errorf("%s is refused: %w", rangeStreamMethod, err)
	}
	t.bytes += reply.bytes
	return r.whole(&reply.rangeReply, reply.kvs, t)
}
