package zkmember

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zkroot"
)

// holdEvery backs the holder's watch on its znode, which the client can lose.
const holdEvery = 2 * time.Second

// run keeps the znode up, and answers challenges, until the connection is over
// or another one is there for that.
func (c *claimant) run(ctx context.Context) {
	pause := zkclient.Backoff{Random: c.m.Random}
	for c.alive(ctx) {
		err := c.putUp(ctx, holdEvery)
		if err == nil {
			err = c.hold(ctx)
		}
		switch {
		case err == nil:
		case errors.Is(err, errHeld) && c.later(err):
			zkclient.Sleep(ctx, c.conn, proofEvery)
		case ctx.Err() != nil:
			return
		case revision.Fatal(err):
			c.m.Session.Fail(err)
			return
		default:
			if code := zkclient.CodeOf(err); code != nil && code.Does != zkclient.Expected && !c.later(err) {
				code.Warn(c.m.Log, c.m.Said, err)
			}
			zkclient.Sleep(ctx, c.conn, pause.Next())
		}
	}
}

func (c *claimant) alive(ctx context.Context) bool {
	select {
	case <-c.conn.Done():
		return false
	case <-ctx.Done():
		return false
	default:
	}
	current, _ := c.m.holds(c.conn)
	return current
}

// hold answers challenges until the znode is not this session's any more.
func (c *claimant) hold(ctx context.Context) error {
	c.asked = revision.Nonce{}
	var watch <-chan zk.Event
	for c.alive(ctx) {
		opCtx, cancel := c.m.Session.Bound(ctx)
		lost, err := c.respond(opCtx, &watch)
		cancel()
		if err != nil || lost {
			return err
		}
		timer := time.NewTimer(holdEvery)
		select {
		case <-watch:
			watch = nil
		case <-timer.C:
		case <-c.conn.Done():
		case <-ctx.Done():
		}
		timer.Stop()
	}
	return nil
}

// respond looks at the znode, and answers a challenge that is in it. lost says
// that the znode is another's, or gone.
func (c *claimant) respond(ctx context.Context, watch *<-chan zk.Event) (lost bool, err error) {
	var data []byte
	var stat *zk.Stat
	if *watch == nil {
		var watched zkclient.Watched
		watched, err = c.conn.GetW(ctx, c.path)
		data, stat, *watch = watched.Data, watched.Stat, watched.Event
		if stat != nil {
			c.armedAt = stat.Version
		}
	} else {
		data, stat, err = c.conn.Get(ctx, c.path)
		// An event comes before the reply that shows its change, and ZooKeeper sends none
		// if its owner may not read the znode at that moment: the watch is used up then.
		if stat != nil && stat.Version != c.armedAt && len(*watch) == 0 {
			*watch = nil
		}
	}
	if err != nil && !errors.Is(err, zk.ErrNoNode) {
		return false, err
	}
	var held memberRecord
	if err == nil {
		if held, err = memberAt(c.path, data); err != nil {
			return false, err
		}
	}
	if err != nil || held.Incarnation.id() != c.m.me.id() {
		c.m.isGone(c.conn)
		return true, nil
	}
	if held.Challenge == held.Answer {
		return false, nil
	}
	answered, err := withField(data, "answer", held.Challenge)
	if err != nil {
		return false, err
	}
	_, err = c.conn.Multi(ctx, zkclient.SetOp(c.path, answered, int64(stat.Version)))
	if errors.Is(err, zk.ErrNoNode) || errors.Is(err, zk.ErrBadVersion) {
		return false, nil // the watch tells
	}
	return false, err
}

// withField sets a field of a JSON object and leaves the others as they are,
// also those that only a newer release knows.
func withField(data []byte, name, value string) ([]byte, error) {
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal(data, &fields); err != nil {
		return nil, err
	}
	fields[name] = zkroot.MustJSON(value)
	return json.Marshal(fields)
}
