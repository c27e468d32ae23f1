package revision

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-zookeeper/zk"
)

// aliveEvery is how often it is looked whether a member has answered.
const aliveEvery = 50 * time.Millisecond

// Alive implements backend.Log. It leaves a challenge in the member's znode, as
// a claimant of its name does (claimant.go), or waits with others for the answer
// to theirs: any answer is a sign of life.
func (l *Log) Alive(ctx context.Context, name string) (bool, error) {
	conn, err := l.session.get(ctx)
	if err != nil {
		return false, err
	}
	a := &asker{conn: conn, path: l.layout.member(name), challenge: DrawNonce(l.cfg.Random).String()}
	for {
		switch alive, known, err := a.look(ctx); {
		case known:
			return alive, nil
		case err == nil:
		case a.looks > 0 && ctx.Err() != nil: // ZooKeeper answered, the member did not
			return false, nil
		default:
			return false, fmt.Errorf("%w: ask %s for a sign of life: %w", ErrUnavailable, a.path, err)
		}
		if !sleep(ctx, conn, aliveEvery) {
			if ctx.Err() != nil {
				return false, nil
			}
			return false, fmt.Errorf("%w: %w", ErrUnavailable, errSessionOver)
		}
	}
}

// asker waits for a sign of life of one member.
type asker struct {
	conn      Conn
	path      string
	challenge string
	looks     int
	answer    string // what the member had answered last, at the first look
}

// look looks at the znode once, and leaves the challenge there if nobody's is.
// known says that alive is the answer.
func (a *asker) look(ctx context.Context) (alive, known bool, err error) {
	data, stat, err := a.conn.Get(ctx, a.path)
	if errors.Is(err, zk.ErrNoNode) {
		return false, true, nil
	}
	if err != nil {
		return false, false, err
	}
	member, err := memberAt(a.path, data)
	if err != nil {
		return false, false, err
	}
	if a.looks++; a.looks == 1 {
		a.answer = member.Answer
	}
	if !member.Answers || member.Answer != a.answer {
		return true, true, nil
	}
	if member.Challenge != member.Answer {
		return false, false, nil
	}
	asked, err := withField(data, "challenge", a.challenge)
	if err != nil {
		return false, false, err
	}
	_, err = a.conn.Multi(ctx, setOp(a.path, asked, int64(stat.Version)))
	if errors.Is(err, zk.ErrNoNode) || errors.Is(err, zk.ErrBadVersion) {
		err = nil // the next look tells
	}
	return false, false, err
}
