package differential

import (
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// Streams below shared have many watchers each. On the last of them, wild, begin those for which a stream does not
// answer requests for progress: in the future, and below the compact revision. It has none that need such answers to
// be compared: see stream.answers.
const (
	shared = 3
	wild   = shared - 1
)

// watch opens a watcher, half of the time on a stream that others are on too.
func (g *generator) watch() operation {
	o := operation{stream: g.IntN(shared)}
	if g.one(2) {
		o.stream = shared + g.streams
		g.streams++
	}
	r := &pb.WatchCreateRequest{PrevKv: g.one(2), Fragment: g.one(4), ProgressNotify: g.one(4), WatchId: pick(g, []int64{0, 0, 0, 5, 6, -2})}
	r.Key, r.RangeEnd = g.bounds()
	past, future := max(1, g.revision-g.Int64N(30)), g.revision+1+g.Int64N(10)
	below := max(1, g.compacted-1-g.Int64N(2))
	switch n := g.IntN(8); {
	case n == 0:
		r.StartRevision = -g.Int64N(3)
	case o.stream < wild && n < 4:
		r.StartRevision = max(past, g.compacted)
	case o.stream == wild && n < 4:
		r.StartRevision = pick(g, []int64{future, below})
	case o.stream >= shared && n < 6:
		r.StartRevision = pick(g, []int64{past, past, future, below, max(1, g.compacted)})
	}
	if o.stream != wild {
		r.Filters = g.filters()
	}
	o.Message = r
	return o
}

func (g *generator) filters() (f []pb.WatchCreateRequest_FilterType) {
	for g.one(4) {
		f = append(f, pb.WatchCreateRequest_FilterType(g.IntN(2)))
	}
	if g.one(100) {
		f = append(f, 7)
	}
	return f
}

// cancel ends a watcher, if there is one of that number on that stream.
func (g *generator) cancel() operation {
	if g.streams == 0 || g.one(2) {
		return operation{stream: g.IntN(shared), Message: &pb.WatchCancelRequest{WatchId: pick(g, []int64{0, 1, 2, 3, 4, 5, 6, 7, 8, -2, -1})}}
	}
	return operation{stream: shared + g.IntN(g.streams), Message: &pb.WatchCancelRequest{WatchId: pick(g, []int64{0, 0, 0, 5, 6, -2})}}
}
