package revision

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-zookeeper/zk"
)

// Leave implements backend.Log: it takes this zkine's znode away, and puts it up
// no more. What goes on until Close needs no znode.
func (l *Log) Leave(ctx context.Context) error {
	m := &l.member
	m.mu.Lock()
	record := m.record
	m.record = nil
	m.mu.Unlock()
	if record == nil {
		return nil
	}
	conn, err := l.session.get(ctx)
	if err != nil {
		return err
	}
	path := l.layout.member(record.Name)
	data, stat, err := conn.Get(ctx, path)
	if err == nil {
		var holder memberRecord
		if json.Unmarshal(data, &holder) != nil || holder.Incarnation.id() != m.me.id() {
			return nil // another's by now
		}
		_, err = conn.Multi(ctx, &zk.DeleteRequest{Path: path, Version: stat.Version})
	}
	if err == nil || errors.Is(err, zk.ErrNoNode) || errors.Is(err, zk.ErrBadVersion) {
		return nil
	}
	return fmt.Errorf("%w: leave the members: %w", ErrUnavailable, err)
}
