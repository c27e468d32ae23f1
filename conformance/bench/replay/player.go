package replay

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/zkine/zkine/conformance/bench/trace"
)

// player replays one recording once.
type player struct {
	job      Job
	requests []trace.Request
	cancel   context.CancelCauseFunc
	meter    *meter
	values   *values
	conns    []*grpc.ClientConn // by the recording's number

	// answers are of the requests that later ones refer to; only the goroutine of play adds to it.
	answers map[int]*answer
	keys    map[string]*key // only the goroutine of play looks at it
	streams map[int]*stream // likewise
	past    []chan struct{} // likewise: each is closed when a read of the past is answered
	// fleeting are keys that were put on leases that may run out.
	fleeting map[string]bool
	under    sync.WaitGroup // requests under way

	mu     sync.Mutex
	writes []write // that were acknowledged
	events atomic.Int64
}

// answer is what a request was answered.
type answer struct {
	known    chan struct{} // closed when the rest is there
	revision int64
	lease    int64
}

var errDone = errors.New("the replay is over")

// key is what is known of a key.
type key struct {
	// last is closed when the last write that was made is answered. mod and version are what it left; 0 if there is no
	// such key.
	last         chan struct{}
	mod, version int64
}

// write is a change that watches have to bring.
type write struct {
	revision int64
	key      string
}

func newPlayer(job Job, recorded *trace.Trace, cancel context.CancelCauseFunc) (*player, error) {
	p := &player{
		job: job, requests: recorded.Requests, cancel: cancel, meter: newMeter(job.Servers), values: newValues(job.Seed),
		answers: make(map[int]*answer), keys: make(map[string]*key), streams: make(map[int]*stream),
	}
	p.fleeting = p.findFleeting()
	most := 0
	for i, r := range p.requests {
		most = max(most, r.Conn)
		for _, referred := range []int{r.Since, r.Lease} {
			if referred != trace.None && referred < i {
				p.answers[referred] = &answer{known: make(chan struct{})}
			}
		}
	}
	for n := range most + 1 {
		conn, err := grpc.NewClient(job.Endpoints[n%len(job.Endpoints)], grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(math.MaxInt32)))
		if err != nil {
			return nil, err
		}
		p.conns = append(p.conns, conn)
	}
	return p, nil
}

// close ends all that is under way.
func (p *player) close() {
	p.cancel(errDone)
	p.under.Wait()
	for _, conn := range p.conns {
		conn.Close()
	}
	for _, s := range p.streams {
		s.running.Wait()
	}
}

// play makes all requests, each when it is due, and returns when all are answered.
func (p *player) play(ctx context.Context) error {
	pace := &pace{before: p.job.Before, speed: p.job.Speed, fast: true, due: time.Now()}
	for i, r := range p.requests {
		due := pace.at(r.At)
		if wait := time.Until(due); wait > 0 {
			select {
			case <-time.After(wait):
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		if r.Kind == trace.Phase {
			last, err := p.turn(r.Key, pace)
			if err != nil || last {
				return err
			}
			continue
		}
		if err := p.begin(ctx, i, r); err != nil {
			return err
		}
	}
	p.under.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return p.meter.stop()
}

// turn begins a phase and says whether the last one that is measured is over.
func (p *player) turn(name string, pace *pace) (last bool, err error) {
	if slices.Contains(p.job.Phases, name) {
		if pace.fast { // what came before may lie behind
			p.under.Wait()
			pace.fast, pace.due = false, time.Now()
		}
		return false, p.meter.start(name)
	}
	if pace.fast {
		return false, nil
	}
	p.under.Wait()
	return true, p.meter.stop()
}

// begin makes a request in a goroutine of its own. What has an order gets it here: writes of one key, what is sent in one
// stream, and a compaction after the reads of the past that were made before it.
func (p *player) begin(ctx context.Context, i int, r trace.Request) error {
	switch r.Kind {
	case trace.Watch, trace.Cancel, trace.Progress:
		s, err := p.stream(ctx, r)
		if err == nil {
			s.send(r)
			p.meter.other()
		}
		return err
	}
	var before []chan struct{}
	var k *key
	done := make(chan struct{})
	switch {
	case r.Write():
		if k = p.keys[r.Key]; k == nil {
			k = &key{}
			p.keys[r.Key] = k
		} else {
			before = []chan struct{}{k.last}
		}
		k.last = done
	case r.Kind == trace.Compact:
		before, p.past = p.past, nil
	case r.Since != trace.None:
		p.past = append(p.past, done)
	}
	p.under.Go(func() {
		defer close(done)
		for _, c := range before {
			if err := p.await(ctx, c); err != nil {
				return
			}
		}
		if err := p.ask(ctx, i, r, k); err != nil {
			p.cancel(fmt.Errorf("request %d, %s of %q: %w", i, r.Kind, r.Key, err))
		}
	})
	return nil
}

// await waits until a channel is closed.
func (p *player) await(ctx context.Context, c <-chan struct{}) error {
	select {
	case <-c:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// answered keeps what later requests refer to.
func (p *player) answered(i int, header *pb.ResponseHeader, lease int64) {
	if a := p.answers[i]; a != nil {
		a.revision, a.lease = header.GetRevision(), lease
		close(a.known)
	}
}

// referred waits for the answer of a request; none is nil.
func (p *player) referred(ctx context.Context, i int) (answer, error) {
	if i == trace.None {
		return answer{}, nil
	}
	a := p.answers[i]
	if err := p.await(ctx, a.known); err != nil {
		return answer{}, err
	}
	return *a, nil
}
