package zkseed

import (
	"context"
	"errors"
	"path"

	"github.com/go-zookeeper/zk"

	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zkroot"
)

// begin puts up <root>/unfinished, or takes the one over that is there.
func (s *seeder) begin(ctx context.Context, conn zkclient.Conn) error {
	for {
		if err := s.admit(ctx, conn); err != nil {
			return err
		}
		left, version, err := zkroot.NewReader(conn, s.layout).Unfinished(ctx)
		switch {
		case errors.Is(err, zk.ErrNoNode):
			err = s.beginNew(ctx, conn)
		case err == nil:
			err = s.takeOver(ctx, conn, left, version)
		}
		if !errors.Is(err, zk.ErrBadVersion) && !errors.Is(err, zk.ErrNoNode) && !errors.Is(err, zk.ErrNodeExists) {
			return err
		}
	}
}

func (s *seeder) beginNew(ctx context.Context, conn zkclient.Conn) error {
	if err := zkroot.CreateParents(ctx, conn, s.Root); err != nil {
		return err
	}
	s.mark, s.version = s.newMark(zkroot.NewSegmentRef(Place.Segment, s.Random).Name), 0
	_, err := conn.Multi(ctx, zkclient.CreateOp(s.layout.Unfinished(), zkroot.MustJSON(s.mark)),
		// No zkine can make a root from here on, as it would create this znode, too.
		zkclient.CreateOp(s.layout.Checkpoint(), nil), zkclient.CreateOp(s.layout.Attempt(s.mark.Attempt), nil))
	return err
}

// takeOver ends the seeding that has left the record, if it still runs, and goes on
// with what it has written, or removes that.
func (s *seeder) takeOver(ctx context.Context, conn zkclient.Conn, left zkroot.Unfinished, version int64) error {
	s.mark = s.newMark(left.Attempt)
	ops := []any{zkclient.SetOp(s.layout.Unfinished(), zkroot.MustJSON(s.mark), version)}
	same := left.Source == s.seeding.Source
	if !same {
		s.mark.Attempt = zkroot.NewSegmentRef(Place.Segment, s.Random).Name
		ops = []any{zkclient.SetOp(s.layout.Unfinished(), zkroot.MustJSON(s.mark), version),
			zkclient.CreateOp(s.layout.Attempt(s.mark.Attempt), nil)}
	}
	if _, err := conn.Multi(ctx, ops...); err != nil {
		return err
	}
	s.version = version + 1
	s.Log.Infof("going on with what a transfer from %s, begun at %v, has left of %s", left.Source, left.At, s.Root)
	return s.sweep(ctx, conn)
}

// sweep removes the attempts that are not this one.
func (s *seeder) sweep(ctx context.Context, conn zkclient.Conn) error {
	attempts, err := conn.Children(ctx, s.layout.Checkpoint())
	if err != nil {
		return err
	}
	for _, attempt := range attempts {
		if attempt == s.mark.Attempt {
			continue
		}
		folder := s.layout.Attempt(attempt)
		names, err := conn.Children(ctx, folder)
		if err != nil {
			return err
		}
		for len(names) > 0 {
			n := min(len(names), removeBatch)
			if err := s.remove(ctx, conn, folder, names[:n]); err != nil {
				return err
			}
			names = names[n:]
		}
		if err := s.remove(ctx, conn, s.layout.Checkpoint(), []string{attempt}); err != nil {
			return err
		}
	}
	return nil
}

// removeBatch is how many znodes one multi removes.
const removeBatch = 500

func (s *seeder) remove(ctx context.Context, conn zkclient.Conn, folder string, names []string) error {
	ops := []any{s.guard()}
	for _, name := range names {
		ops = append(ops, &zk.DeleteRequest{Path: path.Join(folder, name), Version: zkclient.AnyVersion})
	}
	_, err := conn.Multi(ctx, ops...)
	return err
}

// guard fails once another seeding has begun.
func (s *seeder) guard() any { return zkclient.CheckOp(s.layout.Unfinished(), s.version) }
