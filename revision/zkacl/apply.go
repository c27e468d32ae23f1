package zkacl

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/go-zookeeper/zk"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zkroot"
)

// Applied is what Apply has done.
type Applied struct {
	// Passes over all znodes were made; the last found nothing to do.
	Passes int
	// Znodes were there in the last pass; of all, Changed were given the list.
	Znodes, Changed int64
	// Owned are ephemeral znodes that have another ACL: the sessions that made them
	// make others like them.
	Owned int64
	// Closed may not be changed, or not be looked at; FirstClosed is why, of one.
	Closed      int64
	FirstClosed error
}

// ErrUnsettled says that znodes with another ACL keep appearing.
var ErrUnsettled = errors.New("zkacl: znodes with another ACL keep appearing")

// maxPasses bounds how often Apply begins again.
const maxPasses = 10

// Apply gives a list to a znode and to all below it, parents last, again and again
// until there is nothing to do: znodes appear while others are changed. What has
// the list is passed over, so that an Apply that was interrupted is simply begun
// again. Ephemeral znodes are left as they are.
//
// Whether the list lets its session go on working there is Try's to find out,
// before. Errors: see Expand; ErrUnsettled; the session's, after which what is done
// is done. A znode that the session may not change ends nothing: see Applied.
func Apply(ctx context.Context, conn Session, from string, wanted List, o Options) (*Applied, error) {
	wanted, err := Expand(ctx, conn, from, wanted)
	if err != nil {
		return nil, err
	}
	total := &Applied{}
	for total.Passes < maxPasses {
		total.Passes++
		one := applying{conn: conn, wanted: wanted, pass: pass{number: total.Passes, progress: o.Progress}}
		w := walk{conn: conn, visit: one.visit}
		err := w.run(ctx, from)
		total.Changed += one.changed.Load()
		total.Znodes, total.Owned, total.Closed = one.pass.done.Load(), one.owned.Load(), one.closed.Load()
		total.FirstClosed = nil
		if first := one.firstClosed.Load(); first != nil {
			total.FirstClosed = *first
		}
		if err != nil {
			return total, err
		}
		if one.changed.Load()+one.moved.Load() == 0 {
			return total, nil
		}
	}
	return total, fmt.Errorf("%w under %s", ErrUnsettled, from)
}

// ApplyOne gives an expanded list to one znode, and leaves what is below it. It does nothing
// if the znode has the list; changed says whether it had not. Errors: zk.ErrNoNode,
// and as Apply's; ErrForbidden if the session may not.
func ApplyOne(ctx context.Context, conn Session, path string, wanted List) (changed bool, err error) {
	z, err := look(ctx, conn, path)
	switch {
	case err != nil:
		return false, err
	case z == nil:
		return false, fmt.Errorf("%s: %w", path, zk.ErrNoNode)
	case z.closed != nil:
		return false, z.closed
	case z.acl.Against(wanted) == Same:
		return false, nil
	}
	_, err = conn.SetACL(ctx, path, wanted, z.stat.Aversion)
	return true, err
}

// applying is one pass of Apply.
type applying struct {
	conn   Session
	wanted List
	pass   pass

	changed     atomic.Int64
	moved       atomic.Int64 // changed by others in between
	owned       atomic.Int64
	closed      atomic.Int64
	firstClosed atomic.Pointer[error]
}

func (a *applying) visit(ctx context.Context, z *znode) error {
	defer a.pass.tick()
	switch {
	case z.closed != nil:
		a.keptOut(z.closed)
		return nil
	case z.acl.Against(a.wanted) == Same:
		if z.unlisted != nil {
			a.keptOut(z.unlisted)
		}
		return nil
	case zkroot.Ephemeral(z.stat):
		a.owned.Add(1)
		return nil
	}
	_, err := a.conn.SetACL(ctx, z.path, a.wanted, z.stat.Aversion)
	switch {
	case err == nil:
		a.changed.Add(1)
	case errors.Is(err, zk.ErrBadVersion):
		a.moved.Add(1)
	case errors.Is(err, zk.ErrNoNode):
	case errors.Is(err, revision.ErrForbidden):
		a.keptOut(err)
	default:
		return err
	}
	return nil
}

func (a *applying) keptOut(err error) {
	a.closed.Add(1)
	a.firstClosed.CompareAndSwap(nil, &err)
}

// pass counts the znodes of one walk that are done.
type pass struct {
	number   int
	progress func(pass int, done int64) // may be nil
	done     atomic.Int64
}

func (p *pass) tick() {
	done := p.done.Add(1)
	if p.progress != nil {
		p.progress(p.number, done)
	}
}
