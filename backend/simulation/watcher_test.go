package simulation

import (
	"context"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/backend"
)

// watcher watches all keys, or one, on one zkine after the other, until it has
// seen the last revision.
func (p *person) watcher(key string) {
	defer p.w.poke()
	defer p.w.clients.Add(-1)
	s := &watched{key: key}
	p.w.mu.Lock()
	p.w.history.watches = append(p.w.history.watches, s)
	p.w.mu.Unlock()
	next := int64(p.rng.IntN(2)) // from now, or from the beginning
	s.from = next
	for !p.w.ending.Load() || next <= p.w.floor.Load() {
		l, b := p.reach()
		next = p.watch(l, b, s, next)
		p.rest(100 * time.Millisecond)
	}
	s.end = next - 1
}

// watch follows one stream until it ends, or the watcher has enough of it, and
// returns the revision to go on from.
func (p *person) watch(l *life, b *backend.Backend, s *watched, next int64) int64 {
	stream := b.Watch()
	defer stream.Close()
	r := &pb.WatchCreateRequest{Key: []byte(s.key), StartRevision: next, PrevKv: true}
	if s.key == "" {
		r.Key, r.RangeEnd = []byte{0}, []byte{0}
	}
	stream.Create(r)
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(1+p.rng.Int64N(int64(4*time.Second))))
	defer cancel()
	if p.rng.IntN(3) == 0 {
		stream.RequestProgress()
	}
	for {
		response, err := stream.Next(ctx)
		if err != nil || l.isHarmed() {
			return next
		}
		if next = p.told(s, next, response); response.Canceled {
			return next
		}
		if p.rng.IntN(10) == 0 {
			p.rest(50 * time.Millisecond) // a slow one
			stream.RequestProgress()
		}
	}
}

// told notes a response.
func (p *person) told(s *watched, next int64, r *pb.WatchResponse) int64 {
	switch {
	case r.CompactRevision > 0:
		s.seen = append(s.seen, sighting{at: p.w.now(), skipped: r.CompactRevision})
		return max(next, r.CompactRevision)
	case r.Canceled:
		p.w.fail("%s: a watch was refused: %s", p.name, r.CancelReason)
	case r.Created:
		if next == 0 {
			next = r.Header.Revision + 1
			s.from = next
		}
	case len(r.Events) == 0:
		s.seen = append(s.seen, sighting{at: p.w.now(), promised: r.Header.Revision})
		return max(next, r.Header.Revision+1)
	}
	for _, e := range r.Events {
		s.seen = append(s.seen, sighting{at: p.w.now(), event: proto.CloneOf(e)})
		next = e.Kv.ModRevision + 1
		p.w.seen(e.Kv.ModRevision)
	}
	return next
}
