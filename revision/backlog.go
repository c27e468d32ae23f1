package revision

import (
	"context"
	"errors"

	"github.com/go-zookeeper/zk"
)

// Backlog implements backend.Log. A connection that is lost meanwhile is no
// reason to fail: then it is what was counted so far.
func (l *Log) Backlog(ctx context.Context) (slots int64, err error) {
	conn, err := l.session.get(ctx)
	if err != nil {
		return 0, err
	}
	opCtx, cancel := l.opContext(ctx)
	defer cancel()
	refs, err := l.on(conn).segments(opCtx)
	if final(err) {
		return 0, err
	}
	first, delivered := l.tail.place()
	for _, ref := range refs {
		if ref.number < first {
			continue
		}
		stat, err := conn.Exists(opCtx, l.layout.segment(ref.name))
		if err != nil && !errors.Is(err, zk.ErrNoNode) {
			break
		}
		if err == nil {
			slots += int64(stat.Version)
		}
	}
	return max(slots-delivered, 0), nil
}
