package zklog

import (
	"context"
	"errors"

	"github.com/go-zookeeper/zk"

	"github.com/zkine/zkine/revision"
)

// Backlog implements backend.Log. A connection that is lost on the way is no
// reason to fail: then it is what was counted so far.
func (l *Log) Backlog(ctx context.Context) (slots int64, err error) {
	conn, err := l.session.Get(ctx)
	if err != nil {
		return 0, err
	}
	opCtx, cancel := l.opContext(ctx)
	defer cancel()
	refs, err := l.on(conn).Segments(opCtx)
	if revision.Fatal(err) {
		return 0, err
	}
	first, delivered := l.tail.place()
	for _, ref := range refs {
		if ref.Number < first {
			continue
		}
		stat, err := conn.Exists(opCtx, l.layout.Segment(ref.Name))
		if err != nil && !errors.Is(err, zk.ErrNoNode) {
			break
		}
		if err == nil {
			slots += int64(stat.Version)
		}
	}
	return max(slots-delivered, 0), nil
}
