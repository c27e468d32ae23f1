package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/zkine/zkine/conformance/rig"
)

const (
	// clientPeriod is between two puts of the well-behaved client; it gets as often, in between.
	clientPeriod = 20 * time.Millisecond
	// clientPatience is when a call counts as failed.
	clientPatience = 5 * time.Second
	clientKeys     = 100
	clientSize     = 256 // bytes of a value
	clientPrefix   = "client/"
)

// client behaves well: on one connection it puts and gets at a fixed rate, and watches what it puts. A call that is due
// is made whether the ones before were answered or not, and its time runs from when it was due.
type client struct {
	conn *grpc.ClientConn
	kv   pb.KVClient

	mu      sync.Mutex
	calls   []call
	open    map[int]time.Time // when each call was due that has no answer yet, by turn
	puts    []time.Time       // when each was due
	seen    []bool            // its event has come
	running sync.WaitGroup
}

// call is a put, a get or an event.
type call struct {
	due  time.Time
	took time.Duration
	err  error
}

// startClient starts one that goes on until ctx ends. The token may be "".
func startClient(ctx context.Context, endpoint, token string) (*client, error) {
	conn, err := rig.Dial(endpoint)
	if err != nil {
		return nil, err
	}
	if token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "token", token)
	}
	c := &client{conn: conn, kv: pb.NewKVClient(conn), open: map[int]time.Time{}}
	stream, err := pb.NewWatchClient(conn).Watch(ctx, grpc.WaitForReady(true))
	if err != nil {
		return nil, err
	}
	err = stream.Send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: &pb.WatchCreateRequest{
		Key: []byte(clientPrefix), RangeEnd: []byte("client0"),
	}}})
	if err != nil {
		return nil, err
	}
	if created, err := stream.Recv(); err != nil || created.Canceled {
		return nil, fmt.Errorf("the watch of the client was refused: %v, %w", created, err)
	}
	c.running.Go(func() { c.watch(stream) })
	c.running.Go(func() { c.pace(ctx) })
	return c, nil
}

// wait returns when the client has ended, after its ctx.
func (c *client) wait() {
	c.running.Wait()
	c.conn.Close()
}

// pace makes the calls when they are due.
func (c *client) pace(ctx context.Context) {
	ticker := time.NewTicker(clientPeriod / 2)
	defer ticker.Stop()
	for turn, due := 0, time.Now(); ; turn, due = turn+1, due.Add(clientPeriod/2) {
		for time.Until(due) > 0 {
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return
			}
		}
		if ctx.Err() != nil {
			return
		}
		c.running.Go(func() { c.call(ctx, turn, due) })
	}
}

// call makes one.
func (c *client) call(ctx context.Context, turn int, due time.Time) {
	limited, cancel := context.WithTimeout(ctx, clientPatience)
	defer cancel()
	key := fmt.Appendf(nil, "%s%d", clientPrefix, turn/2%clientKeys)
	c.mu.Lock()
	c.open[turn] = due
	c.mu.Unlock()
	var err error
	if turn%2 == 0 {
		value := make([]byte, clientSize)
		c.mu.Lock()
		binary.BigEndian.PutUint64(value, uint64(len(c.puts)))
		c.puts, c.seen = append(c.puts, due), append(c.seen, false)
		c.mu.Unlock()
		_, err = c.kv.Put(limited, &pb.PutRequest{Key: key, Value: value})
	} else {
		_, err = c.kv.Range(limited, &pb.RangeRequest{Key: key})
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.open, turn)
	if ctx.Err() == nil {
		c.calls = append(c.calls, call{due, time.Since(due), err})
	}
}

// watch takes the events. Should the stream end, it counts as a failure of the moment.
func (c *client) watch(stream pb.Watch_WatchClient) {
	for {
		response, err := stream.Recv()
		now := time.Now()
		if err == nil && response.Canceled {
			err = fmt.Errorf("the watch was cancelled: %s", response.CancelReason)
		}
		if stream.Context().Err() != nil {
			return
		}
		if err != nil {
			c.add(call{now, clientPatience, err})
			return
		}
		for _, e := range response.Events {
			c.mu.Lock()
			n := binary.BigEndian.Uint64(e.Kv.Value)
			due := c.puts[n]
			c.seen[n] = true
			c.mu.Unlock()
			c.add(call{due, now.Sub(due), nil})
		}
	}
}

func (c *client) add(done call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls = append(c.calls, done)
}

// latency sums up what the client saw of a server in a while.
type latency struct {
	p50, p99 time.Duration
	calls    int
	failed   int
	why      error // of one that failed
}

// between sums up the calls that were due in a while, and the events of its puts.
func (c *client) between(from, to time.Time) latency {
	c.mu.Lock()
	defer c.mu.Unlock()
	var l latency
	var took []time.Duration
	for _, done := range c.calls {
		if done.due.Before(from) || !done.due.Before(to) {
			continue
		}
		l.calls++
		took = append(took, done.took)
		if done.err != nil {
			l.failed++
			l.why = done.err
		}
	}
	slices.Sort(took)
	if len(took) > 0 {
		l.p50, l.p99 = took[len(took)/2], took[len(took)*99/100]
	}
	return l
}

// finish waits for the answers to the calls that were due in a while, and for the events of its puts, and returns how
// many events did not come.
func (c *client) finish(ctx context.Context, from, to time.Time) (lost int) {
	end := time.Now().Add(clientPatience)
	for {
		open, lost := c.missing(from, to)
		if open+lost == 0 || time.Now().After(end) || sleep(ctx, clientPeriod) != nil {
			return lost
		}
	}
}

// missing counts the calls of a while without an answer, and the puts without an event.
func (c *client) missing(from, to time.Time) (open, lost int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	in := func(due time.Time) bool { return !due.Before(from) && due.Before(to) }
	for _, due := range c.open {
		if in(due) {
			open++
		}
	}
	for i, due := range c.puts {
		if in(due) && !c.seen[i] {
			lost++
		}
	}
	return open, lost
}
