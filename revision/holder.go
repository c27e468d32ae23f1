package revision

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/go-zookeeper/zk"
)

// holdEvery backs the holder's watch on its znode, which the client can lose.
const holdEvery = 2 * time.Second

// run keeps the znode up, and answers challenges, until the connection is over
// or another one is there for that.
func (c *claimant) run(ctx context.Context) {
	var pause backoff
	for c.alive(ctx) {
		err := c.putUp(ctx, holdEvery)
		if err == nil {
			err = c.hold(ctx)
		}
		switch {
		case err == nil:
		case errors.Is(err, errHeld) && c.later(err):
			sleep(ctx, c.conn, proofEvery)
		case ctx.Err() != nil:
			return
		case final(err):
			c.m.l.session.fail(err)
			return
		default:
			if code := codeOf(err); code != nil && code.does != expected && !c.later(err) {
				code.warn(c.m.l.cfg.Log, &c.m.l.said, err)
			}
			sleep(ctx, c.conn, pause.next())
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
	c.asked = Nonce{}
	var watch <-chan zk.Event
	for c.alive(ctx) {
		opCtx, cancel := c.m.l.opContext(ctx)
		lost, err := c.answer(opCtx, &watch)
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

// answer looks at the znode, and answers a challenge that is in it. lost says
// that the znode is another's, or gone.
func (c *claimant) answer(ctx context.Context, watch *<-chan zk.Event) (lost bool, err error) {
	var data []byte
	var stat *zk.Stat
	if *watch == nil {
		data, stat, *watch, err = c.conn.GetW(ctx, c.path)
	} else {
		data, stat, err = c.conn.Get(ctx, c.path)
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
	_, err = c.conn.Multi(ctx, setOp(c.path, answered, int64(stat.Version)))
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
	fields[name] = mustJSON(value)
	return json.Marshal(fields)
}
