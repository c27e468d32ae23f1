package zkmember

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-zookeeper/zk"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zkclient"
)

// Leave takes this zkine's znode away, and puts it up
// no more. What goes on until Close needs no znode.
func (m *Membership) Leave(ctx context.Context) error {
	m.mu.Lock()
	record := m.record
	m.record = nil
	m.mu.Unlock()
	if record == nil {
		return nil
	}
	conn, err := m.Session.Get(ctx)
	if err != nil {
		return err
	}
	for {
		err := m.takeDown(ctx, conn, m.Layout.Member(record.Name))
		switch {
		case err == nil, errors.Is(err, zk.ErrNoNode):
			return nil
		case errors.Is(err, zk.ErrBadVersion): // a member has just asked for a sign of life
		default:
			return fmt.Errorf("%w: leave the members: %w", revision.ErrUnavailable, err)
		}
	}
}

// takeDown removes the member's znode, unless another zkine has it by now.
func (m *Membership) takeDown(ctx context.Context, conn zkclient.Conn, path string) error {
	data, stat, err := conn.Get(ctx, path)
	if err != nil {
		return err
	}
	if holder, err := parseMember(data); err != nil || holder.Incarnation.id() != m.me.id() {
		return nil
	}
	_, err = conn.Multi(ctx, &zk.DeleteRequest{Path: path, Version: stat.Version})
	return err
}
