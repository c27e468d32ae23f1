package load

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/go-zookeeper/zk"
)

// bare writes the bytes of updates to ZooKeeper in the shape of zkine's appends, check + setData + sequential create
// in one multi, and does nothing else: no gRPC, no evaluation, no compression. All that has gathered while a multi was
// under way goes into the next one. It is the ceiling for whatever keeps its writes in ZooKeeper in this way.
type bare struct {
	job     Job
	conn    *zk.Conn
	clients []*bareClient
	queue   chan *bareClient
	done    chan struct{}
	root    string

	segments []bareSegment // the last one is open; all are removed at the end
}

type bareSegment struct {
	path  string
	slots []string
}

// bareClient is one client, and the update that it has in the queue.
type bareClient struct {
	values *values
	key    []byte
	buffer frame
	result chan error
}

const (
	slotsPerSegment = 4096
	bareTimeout     = 10 * time.Second
	largestMulti    = 900 << 10 // bytes
)

func newBare(j Job) plan {
	return &bare{job: j, queue: make(chan *bareClient, j.Clients), done: make(chan struct{})}
}

// quiet takes what the client library would log.
type quiet struct{}

func (quiet) Printf(string, ...any) {}

func (b *bare) prepare(context.Context) error {
	conn, _, err := zk.Connect([]string{b.job.Endpoint}, bareTimeout, zk.WithLogger(quiet{}))
	if err != nil {
		return err
	}
	b.conn = conn
	b.root = fmt.Sprintf("/bare-%08x", b.job.Seed)
	if _, err := conn.Create(b.root, nil, 0, zk.WorldACL(zk.PermAll)); err != nil {
		return err
	}
	if err := b.rotate(); err != nil {
		return err
	}
	random := newPool(b.job.Seed)
	for i := range b.job.Clients {
		b.clients = append(b.clients, &bareClient{
			values: newValues(random, b.job.Seed, i, b.job.Value), key: []byte(keyName(b.job.Prefix, i)), result: make(chan error, 1),
		})
	}
	go b.append()
	return nil
}

func (b *bare) rest(context.Context) error { return nil }

func (b *bare) op(_ context.Context, client int, _ *tally) error {
	c := b.clients[client]
	var err error
	if c.buffer, err = marshal(c.buffer, updateRequest(c.key, c.values.next(), 1<<20)); err != nil {
		return err
	}
	b.queue <- c
	return <-c.result
}

// append sends what has queued up, one multi after the other, until the queue is closed.
func (b *bare) append() {
	defer close(b.done)
	var data []byte
	for first := range b.queue {
		batch := []*bareClient{first}
		data = append(data[:0], first.buffer...)
		for more := true; more && len(data) < largestMulti; {
			select {
			case c, open := <-b.queue:
				if more = open; open {
					batch, data = append(batch, c), append(data, c.buffer...)
				}
			default:
				more = false
			}
		}
		err := b.multi(data)
		for _, c := range batch {
			c.result <- err
		}
	}
}

func (b *bare) multi(data []byte) error {
	open := &b.segments[len(b.segments)-1]
	results, err := b.conn.Multi(
		&zk.CheckVersionRequest{Path: b.root, Version: 0},
		&zk.SetDataRequest{Path: open.path, Data: []byte(`{"lastWriter":"bare","revision":1000000}`), Version: -1},
		&zk.CreateRequest{Path: open.path + "/s-", Data: data, Acl: zk.WorldACL(zk.PermAll), Flags: zk.FlagSequence},
	)
	if err != nil {
		return fmt.Errorf("multi is refused: %w", err)
	}
	if open.slots = append(open.slots, results[2].String); len(open.slots) == slotsPerSegment {
		return b.rotate()
	}
	return nil
}

// rotate opens the next segment.
func (b *bare) rotate() error {
	path := fmt.Sprintf("%s/%d", b.root, len(b.segments))
	b.segments = append(b.segments, bareSegment{path: path})
	_, err := b.conn.Create(path, nil, 0, zk.WorldACL(zk.PermAll))
	return err
}

// check sees to it that each acknowledged multi is there, and removes everything.
func (b *bare) check(context.Context, *Result) error {
	close(b.queue)
	<-b.done
	for _, s := range b.segments {
		_, stat, err := b.conn.Exists(s.path)
		if err != nil {
			return err
		}
		if int(stat.Version) != len(s.slots) || int(stat.NumChildren) != len(s.slots) {
			return fmt.Errorf("%d multis were acknowledged, %d counted, %d slots made", len(s.slots), stat.Version, stat.NumChildren)
		}
		if err := b.remove(s); err != nil {
			return err
		}
	}
	return b.conn.Delete(b.root, -1)
}

func (b *bare) remove(s bareSegment) error {
	const atOnce = 1000
	for slots := range slices.Chunk(s.slots, atOnce) {
		var ops []any
		for _, slot := range slots {
			ops = append(ops, &zk.DeleteRequest{Path: slot, Version: -1})
		}
		if _, err := b.conn.Multi(ops...); err != nil {
			return err
		}
	}
	return b.conn.Delete(s.path, -1)
}

func (b *bare) close() {
	if b.conn != nil {
		b.conn.Close()
	}
}
