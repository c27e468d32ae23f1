package simulation

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/backend"
	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision"
)

// person is a user of zkines: a goroutine with chances of its own.
type person struct {
	w    *world
	name string
	rng  *rand.Rand
	home *zkine // which it prefers; nil for none
}

func (w *world) person(name string, stream int) *person {
	return &person{w: w, name: name, rng: rand.New(rand.NewPCG(w.seed, uint64(stream)+1000))}
}

// rest lets time pass, never in step with anyone else.
func (p *person) rest(longest time.Duration) {
	time.Sleep(time.Duration(1 + p.rng.Int64N(int64(longest))))
}

// reach returns a zkine that serves, sooner or later. Once the world is over it
// does not return, and the person is gone.
func (p *person) reach() (*life, *backend.Backend) {
	for {
		p.w.mu.Lock()
		over := p.w.over
		p.w.mu.Unlock()
		if over {
			runtime.Goexit()
		}
		z := p.w.zkines[p.rng.IntN(len(p.w.zkines))]
		if p.home != nil && p.rng.IntN(4) > 0 {
			z = p.home
		}
		if b := z.serving(); b != nil {
			p.w.mu.Lock()
			l := z.life
			p.w.mu.Unlock()
			return l, b
		}
		p.rest(200 * time.Millisecond)
	}
}

// patience is how long a call may take: some people have little.
func (p *person) patience() (context.Context, context.CancelFunc) {
	d := 20 * time.Second
	if p.rng.IntN(4) == 0 {
		d = time.Duration(p.rng.Int64N(int64(20 * p.w.profile.latency)))
	}
	return context.WithTimeout(context.Background(), d)
}

// keys are few, so that people meet.
var keys = []string{"k0", "k1", "k2", "k3"}

func (p *person) key() string { return keys[p.rng.IntN(len(keys))] }

// seen raises the floor: whatever begins from now on must not be behind.
func (w *world) seen(rev int64) {
	for {
		old := w.floor.Load()
		if rev <= old || w.floor.CompareAndSwap(old, rev) {
			return
		}
	}
}

// writer makes calls one after the other.
func (p *person) writer() {
	defer p.w.poke()
	defer p.w.clients.Add(-1)
	known := map[string]int64{} // mod revisions, as read last
	for i := range p.w.profile.ops {
		p.rest(300 * time.Millisecond)
		o := &op{value: fmt.Sprintf("%s/%d", p.name, i), key: p.key()}
		if p.w.profile.large && p.rng.IntN(3) == 0 {
			o.value += p.padding()
		}
		p.choose(o, known)
		p.perform(o)
		for _, kv := range o.kvs {
			known[string(kv.Key)] = kv.ModRevision
		}
	}
}

// padding is more than fits into the smallest request, even compressed.
func (p *person) padding() string {
	b := make([]byte, 70_000)
	for i := range b {
		b[i] = byte(p.rng.Uint32())
	}
	return string(b)
}

func (p *person) choose(o *op, known map[string]int64) {
	switch n := p.rng.IntN(20); {
	case n < 6:
		o.kind = opPut
	case n < 7:
		o.kind = opDelete
	case n < 10:
		o.kind, o.expected = opSwap, known[o.key]
	case n < 12:
		o.kind = opPair
	case n < 17:
		o.kind = opGet
		if p.rng.IntN(4) == 0 {
			o.at = max(0, p.w.floor.Load()-p.rng.Int64N(20))
			if p.w.profile.raises != nil && p.rng.IntN(2) == 0 {
				o.at = min(o.at, p.rng.Int64N(60)) // of before
			}
		}
	case n < 19:
		o.kind = opSerializable
	default:
		o.kind, o.at = opCompact, max(1, p.w.floor.Load()-p.rng.Int64N(15))
	}
}

// perform makes the call and notes what became of it.
func (p *person) perform(o *op) {
	l, b := p.reach()
	ctx, cancel := p.patience()
	defer cancel()
	o.who, o.began, o.floor = l, p.w.now(), p.w.floor.Load()
	err := p.call(ctx, b, o)
	o.ended = p.w.now()
	if p.rng.IntN(100) == 0 {
		b.Defragment(ctx) //nolint:errcheck // no check relies on it; it goes on for a client that has gone
	}
	for i, kv := range o.kvs {
		o.kvs[i] = proto.CloneOf(kv) // it shares the state's memory, where a bit may flip
	}
	if p.judge(o, err); l.isHarmed() {
		o.unknown = true
	}
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	p.w.history.ops = append(p.w.history.ops, o)
}

func (p *person) judge(o *op, err error) {
	switch {
	case err == nil:
		if v := o.who.lastView(); o.writes() && int64(v.Rev()) < o.rev {
			p.w.fail("%s: %s was answered with revision %d when %s was at %d", p.name, o, o.rev, o.who.z.name, v.Rev())
		}
		p.w.seen(o.rev)
	case errors.Is(err, state.ErrCompacted):
		o.compacted = true
	case errors.Is(err, state.ErrFutureRev) && o.who.behind(o):
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, revision.ErrUnknown), errors.Is(err, backend.ErrClosed), errors.Is(err, revision.ErrClosed):
		o.unknown = true
	case errors.Is(err, revision.ErrUnavailable):
		o.refused = true
	case p.w.profile.large && errors.Is(err, revision.ErrTooLarge):
		o.refused = true // connections ended on it three times, by chance
	case p.w.mayStop(o.who, err):
		o.unknown = true
	default:
		p.w.fail("%s: a call failed: %v", p.name, err)
	}
}

// writes says whether an answer comes from applying the call to the state: then
// every view that anyone gets from now on must show it.
func (o *op) writes() bool { return o.kind != opGet && o.kind != opSerializable }

// behind says whether a serializable read of a revision may come too early.
func (l *life) behind(o *op) bool { return o.kind == opSerializable }

func (p *person) call(ctx context.Context, b *backend.Backend, o *op) error {
	switch o.kind {
	case opPut:
		r, err := b.Put(ctx, &pb.PutRequest{Key: []byte(o.key), Value: []byte(o.value)})
		o.rev = r.GetHeader().GetRevision()
		return err
	case opDelete:
		r, err := b.DeleteRange(ctx, &pb.DeleteRangeRequest{Key: []byte(o.key)})
		o.rev, o.deleted = r.GetHeader().GetRevision(), r.GetDeleted()
		return err
	case opSwap, opPair:
		return txn(ctx, b, o)
	case opGet, opSerializable:
		r, err := b.Range(ctx, &pb.RangeRequest{Key: []byte("k"), RangeEnd: []byte("l"), Revision: o.at, Serializable: o.kind == opSerializable})
		o.rev, o.kvs = r.GetHeader().GetRevision(), r.GetKvs()
		return err
	default:
		r, err := b.Compact(ctx, &pb.CompactionRequest{Revision: o.at})
		o.rev = r.GetHeader().GetRevision()
		return err
	}
}

func txn(ctx context.Context, b *backend.Backend, o *op) error {
	put := func(key, value string) *pb.RequestOp {
		return &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: []byte(key), Value: []byte(value)}}}
	}
	r := &pb.TxnRequest{}
	if o.kind == opSwap {
		r.Compare = []*pb.Compare{{Key: []byte(o.key), Target: pb.Compare_MOD, Result: pb.Compare_EQUAL,
			TargetUnion: &pb.Compare_ModRevision{ModRevision: o.expected}}}
		r.Success = []*pb.RequestOp{put(o.key, o.value)}
		r.Failure = []*pb.RequestOp{{Request: &pb.RequestOp_RequestRange{RequestRange: &pb.RangeRequest{Key: []byte(o.key)}}}}
	} else {
		r.Success = []*pb.RequestOp{put("p/"+o.key, o.value+"-1"), put("p/other", o.value+"-2"),
			{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: &pb.DeleteRangeRequest{Key: []byte(o.key)}}}}
	}
	response, err := b.Txn(ctx, r)
	if err != nil {
		return err
	}
	o.rev, o.succeeded = response.Header.Revision, response.Succeeded
	if o.kind == opSwap && !o.succeeded {
		o.kvs = response.Responses[0].GetResponseRange().Kvs
	}
	return nil
}

// mine strips what a pair adds to its value.
func mine(value string) string {
	value, _ = strings.CutSuffix(value, "-1")
	value, _ = strings.CutSuffix(value, "-2")
	return value
}
