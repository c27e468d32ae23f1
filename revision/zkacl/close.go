package zkacl

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/go-zookeeper/zk"

	"github.com/zkine/zkine/revision/zkclient"
)

// top is the znode whose ACL says that all others are closed. seed gets the ACL
// before every other one.
const (
	top  = "/"
	seed = "/zookeeper"
)

// closeInFlight is how many znodes Close asks for at once: enough for the server
// to write many with each fsync.
const closeInFlight = 512

// Closed says whether every znode of a ZooKeeper belongs to one owner: whether a
// Close for it has come to its end. owner is one entry with all permissions.
func Closed(ctx context.Context, conn Session, owner zk.ACL) (bool, error) {
	acl, _, err := conn.GetACL(ctx, top)
	return slices.Equal(acl, []zk.ACL{owner}), err
}

// Close gives every znode of a ZooKeeper to one owner, ZooKeeper's own included,
// while others may still be at it. The session has the superuser's rights, whatever
// the ACLs say. done counts the znodes.
//
// It goes from the top down, other than Apply, which might lock itself out: a
// znode gets its ACL, and only then is asked for what is below it. So no
// client can put anything in behind it, with an ACL of its own: see one. The top has the ACL without
// ADMIN until the end, which locks no superuser out and says that there is more to
// do; with ADMIN it gets it last. What is interrupted is done again from its beginning.
//
// There are never more than two new ACLs, and both exist before ZooKeeper can
// begin a snapshot, which it does 50,000 transactions after its start: ZooKeepers
// with ZOOKEEPER-4846 cannot load one that knows an ACL's number and not the ACL.
//
// Errors: the session's.
func Close(ctx context.Context, conn Session, owner zk.ACL, done *atomic.Int64) error {
	c := &closing{conn: conn, owner: owner, done: done}
	if _, err := c.one(ctx, seed, owner); err != nil {
		return err
	}
	under := owner
	under.Perms &^= zk.PermAdmin
	if _, err := c.one(ctx, top, under); err != nil {
		return err
	}
	if err := c.list(ctx, top); err != nil {
		return err
	}
	for len(c.next) > 0 {
		n := min(len(c.next), closeInFlight)
		batch := slices.Clone(c.next[len(c.next)-n:])
		c.next = c.next[:len(c.next)-n]
		if err := c.all(ctx, batch); err != nil {
			return err
		}
	}
	_, err := c.set(ctx, top, owner)
	return err
}

// closing is one Close.
type closing struct {
	conn  Session
	owner zk.ACL
	done  *atomic.Int64

	mu   sync.Mutex
	next []string // znodes to close; those above them are closed
	err  error
}

// all closes znodes, and notes what is below them.
func (c *closing) all(ctx context.Context, paths []string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var group zkclient.Group
	for _, at := range paths {
		group.Go(func() {
			more, err := c.one(ctx, at, c.owner)
			if err == nil && more {
				err = c.list(ctx, at)
			}
			if err != nil {
				c.fail(err)
				cancel()
			}
		})
	}
	group.Wait()
	return c.err
}

// one closes a znode, which may be gone, to all but by, and says whether there are others below.
//
// ZooKeeper judges a request by the ACL that a znode has when the request is prepared,
// which an ACL that is under way then is not yet. So others may still put something in
// behind a SetACL. They no longer can once a second one finds that no client has.
func (c *closing) one(ctx context.Context, at string, by zk.ACL) (more bool, err error) {
	before, err := c.set(ctx, at, by)
	for before != nil && err == nil {
		var stat *zk.Stat
		if stat, err = c.set(ctx, at, by); stat != nil && stat.Cversion == before.Cversion {
			c.done.Add(1)
			return stat.NumChildren > 0, nil
		}
		before = stat
	}
	return false, err
}

// set gives a znode this ACL. stat is nil if it is gone.
func (c *closing) set(ctx context.Context, at string, by zk.ACL) (stat *zk.Stat, err error) {
	stat, err = c.conn.SetACL(ctx, at, []zk.ACL{by}, zkclient.AnyVersion)
	if errors.Is(err, zk.ErrNoNode) {
		return nil, nil //nolint:nilnil // both say that there is nothing to close
	}
	if err != nil {
		return nil, fmt.Errorf("close %s: %w", at, err)
	}
	return stat, nil
}

// list notes what is below a znode.
func (c *closing) list(ctx context.Context, at string) error {
	names, err := c.conn.Children(ctx, at)
	if errors.Is(err, zk.ErrNoNode) {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, name := range names {
		c.next = append(c.next, path.Join(at, name))
	}
	return err
}

// fail notes the first error; what is cancelled after it has another.
func (c *closing) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
	}
}
