package zkmember

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zkroot"
)

// A member's znode may be held by another session: that of a zkine with the same
// name which was killed a moment ago, in another container or on another
// machine, or of one that lives. The session would tell after its timeout, which
// is long, and rounded up by the servers to what is not known here. So the
// claimant asks: it writes a challenge into the holder's znode, and the holder
// writes that back as its answer, which takes it a moment, since it watches its
// znode. A holder that has not answered after many looks, each of which shows
// that ZooKeeper answers, is dead, or so stuck that it serves no client; its znode
// is removed. If it wakes up after all it finds that, claims in its turn, gets
// an answer and ends: the znode fences nothing, what members do is decided by
// the log.
const (
	// proofWait is how long a start waits for the holder's proof of life.
	proofWait = 500 * time.Millisecond
	// proofEvery and proofLooks are how often, and how many times, a claimant
	// looks for the answer before it takes the name.
	proofEvery = 100 * time.Millisecond
	proofLooks = 50
)

// errHeld says that another session holds the znode, and it is not known yet
// whether its zkine lives.
var errHeld = errors.New("revision: the member's name is held")

// errSuperseded says that a newer connection is there to hold the znode.
var errSuperseded = errors.New("revision: another session holds the member's znode")

// claimant puts the member's znode up on one connection, and keeps it there.
type claimant struct {
	m      *Membership
	conn   zkclient.Conn
	record *memberRecord
	path   string

	// challenge is what to ask the holder whose id is asked; looks counts how
	// often it had left a challenge without an answer, any claimant's.
	challenge string
	asked     revision.Nonce
	looks     int
	refused   zkclient.Backoff // of challenges that ZooKeeper refuses
	notBefore time.Time        // the next one
	since     time.Time        // when the holder was first seen
	blocked   bool             // a znode is in the way, as far as is known
	said      bool             // that this zkine is not listed
	armedAt   int32            // the znode's version when the holder's watch was armed
}

// putUp puts the znode up unless it is, waiting for what is in the way for some
// time. Errors: errHeld, ErrNameTaken, and those of ZooKeeper.
func (c *claimant) putUp(ctx context.Context, patience time.Duration) error {
	until := time.Now().Add(patience)
	for {
		current, up := c.m.holds(c.conn)
		if up {
			return nil
		}
		if !current {
			return errSuperseded
		}
		if !c.blocked {
			_, err := c.conn.Multi(ctx, c.create())
			if err == nil {
				c.isUp()
				return nil
			}
			if !errors.Is(err, zk.ErrNodeExists) {
				return err
			}
		}
		err := c.displace(ctx)
		if c.blocked = err != nil; err == nil {
			continue
		} else if !errors.Is(err, errHeld) || time.Now().After(until) {
			return err
		}
		if !zkclient.Sleep(ctx, c.conn, proofEvery) {
			return fmt.Errorf("put up %s: %w", c.path, errors.Join(context.Cause(ctx), zkclient.ErrSessionOver))
		}
	}
}

func (c *claimant) isUp() {
	c.m.isUp(c.conn)
	if c.said {
		c.said = false
		c.m.Log.Info("in the list of members now")
	}
}

// later says whether what keeps the znode from being put up is no reason not to
// serve, and notes that it is waited for.
func (c *claimant) later(err error) bool {
	if !errors.Is(err, errHeld) && !errors.Is(err, revision.ErrRefused) {
		return false
	}
	if !c.said {
		c.said = true
		c.m.Log.WithError(err).Warn("not in the list of members yet; serving all the same")
	}
	return true
}

func (c *claimant) create() *zk.CreateRequest {
	op := zkclient.CreateOp(c.path, zkroot.MustJSON(c.record))
	op.Flags = zk.FlagEphemeral
	return op
}

// displace removes the znode that is in the way, if it may. nil says that it is
// worth to try again.
func (c *claimant) displace(ctx context.Context) error {
	data, stat, err := c.conn.Get(ctx, c.path)
	if errors.Is(err, zk.ErrNoNode) {
		return nil
	}
	if err != nil {
		return err
	}
	holder, err := memberAt(c.path, data)
	if err != nil {
		return err
	}
	if holder.Incarnation.id() == c.m.me.id() || holder.Incarnation.gone() {
		return c.remove(ctx, stat)
	}
	if c.asked != holder.Incarnation.id() {
		c.asked, c.since, c.challenge, c.looks = holder.Incarnation.id(), time.Now(), revision.DrawNonce(c.m.Random).String(), 0
	}
	switch {
	case holder.Answer == c.challenge:
		return fmt.Errorf("%w: %s is held by a live zkine (%v); start with another --name, or stop that one",
			revision.ErrNameTaken, c.path, holder.Incarnation)
	case !holder.Answers:
		return c.outlast(holder)
	case holder.Challenge == holder.Answer: // no claimant asks, or not any more
		return c.ask(ctx, data, stat, holder)
	case c.looks < proofLooks:
		c.looks++
		return c.held(holder)
	}
	c.m.Log.WithField("holder", holder.Incarnation).Warnf("%s has given no sign of life: taking its name over", c.path)
	return c.remove(ctx, stat)
}

// remove removes a znode as it was seen.
func (c *claimant) remove(ctx context.Context, stat *zk.Stat) error {
	_, err := c.conn.Multi(ctx, &zk.DeleteRequest{Path: c.path, Version: stat.Version})
	if errors.Is(err, zk.ErrNoNode) || errors.Is(err, zk.ErrBadVersion) {
		return nil
	}
	return err
}

// ask writes the challenge into the holder's znode, next to what it holds.
func (c *claimant) ask(ctx context.Context, data []byte, stat *zk.Stat, holder memberRecord) error {
	if time.Now().Before(c.notBefore) {
		return c.held(holder)
	}
	asked, err := withField(data, "challenge", c.challenge)
	if err != nil {
		return err
	}
	_, err = c.conn.Multi(ctx, zkclient.SetOp(c.path, asked, int64(stat.Version)))
	switch {
	case err == nil:
		return c.held(holder)
	case errors.Is(err, revision.ErrRefused): // without a challenge only the end of its session tells
		c.notBefore = time.Now().Add(c.refused.Next())
		return c.held(holder)
	case errors.Is(err, zk.ErrNoNode), errors.Is(err, zk.ErrBadVersion):
		return nil
	}
	return err
}

// outlast waits for the end of the session of a holder that answers nothing. The
// servers round timeouts up, by a tick, which is at most half of the shortest
// timeout that they grant by default.
func (c *claimant) outlast(holder memberRecord) error {
	if time.Since(c.since) > 2*c.conn.SessionTimeout()+10*time.Second {
		return fmt.Errorf("%w: %s is held by a live zkine of an earlier release (%v); start with another --name, or stop that one",
			revision.ErrNameTaken, c.path, holder.Incarnation)
	}
	return c.held(holder)
}

func (c *claimant) held(holder memberRecord) error {
	return fmt.Errorf("%w: %s belongs to the session of another zkine (%v); waiting for a sign of life from it, or the session's end",
		errHeld, c.path, holder.Incarnation)
}
