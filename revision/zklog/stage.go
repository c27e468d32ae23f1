package zklog

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/go-zookeeper/zk"
	"github.com/sirupsen/logrus"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zkroot"
)

// A request over jute.maxbuffer makes ZooKeeper close the connection without a
// reply. A batch that large is cut into parts under the open segment's stage
// folder, and the append checks that each part is there, so that a slot never
// names a part that is missing.

// DefaultMaxRequest is the largest request sent to ZooKeeper, in bytes.
const DefaultMaxRequest = zkroot.DefaultMaxRequest

// stagedParts says which parts are known to be in ZooKeeper.
type stagedParts struct {
	segment string
	size    int // bytes of each part but the last
	count   int
	done    int
}

// stage uploads the parts that are not there yet.
func (a *appending) stage(ctx context.Context, conn zkclient.Conn, segment zkroot.SegmentRef, limit int) error {
	// The size of parts stays for the segment, even if the limit shrinks: a part
	// that exists must be the part that is meant.
	if a.parts.segment != segment.Name {
		a.parts = stagedParts{segment: segment.Name, size: limit, count: (len(a.env.Stored()) + limit - 1) / limit}
	}
	for ; a.parts.done < a.parts.count; a.parts.done++ {
		if err := a.stagePart(ctx, conn, segment, a.parts.done); err != nil {
			return err
		}
	}
	return nil
}

func (a *appending) stagePart(ctx context.Context, conn zkclient.Conn, segment zkroot.SegmentRef, i int) error {
	from := i * a.parts.size
	to := min(from+a.parts.size, len(a.env.Stored()))
	opCtx, cancel := a.session.Bound(ctx)
	defer cancel()
	results, err := conn.Multi(opCtx,
		zkclient.CheckOp(a.layout.Log(), segment.Number),
		zkclient.CreateOp(a.layout.Part(segment.Name, a.batch.Nonce, i), a.env.Stored()[from:to]))
	op, _ := zkclient.FailedOp(results)
	switch {
	case err == nil, errors.Is(err, zk.ErrNodeExists):
		// A part that exists is this one, from a sending whose reply was lost.
		a.lost = 0
		return nil
	case errors.Is(err, zk.ErrBadVersion) && op == 0:
		return a.refreshed(ctx, conn)
	case errors.Is(err, zk.ErrShortBuffer):
		return fmt.Errorf("%w: %w", revision.ErrTooLarge, err)
	}
	if ctx.Err() == nil {
		// A part that got there all the same harms nothing: only the append
		// itself can leave its outcome open.
		unsure, resent := a.unsure, a.resent
		again := a.serverAnswered(ctx, conn, segment, err)
		if a.unsure, a.resent = unsure, resent; again != nil {
			return again
		}
	}
	a.connectionLost(ctx, conn, segment)
	return errAgain
}

// requestLimit bounds each request to ZooKeeper. It shrinks when connections end
// on large ones.
type requestLimit struct{ bytes atomic.Int64 }

// limit is how many bytes of data go into one request.
func (r *requestLimit) limit() int { return int(r.bytes.Load()) - zkroot.RequestOverhead }

// shrink halves the limit; false if it is at its smallest.
func (r *requestLimit) shrink(log *logrus.Entry) bool {
	old := r.bytes.Load()
	smaller := max(old/2, zkroot.MinRequest)
	if smaller == old {
		return false
	}
	if r.bytes.CompareAndSwap(old, smaller) {
		log.Warnf("connections end on large requests: sending at most %d bytes from now on; the servers' jute.maxbuffer may be smaller than --max-zookeeper-request", smaller)
	}
	return true
}
