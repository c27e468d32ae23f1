package zkmember

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zkclient"
)

const (
	// aliveEvery is how often it is looked whether a member has answered.
	aliveEvery = 50 * time.Millisecond
	// aliveLooks is how many looks must have found a question without an answer
	// before the member is called silent, the last of them within aliveFresh: else
	// it may be ZooKeeper that does not answer.
	aliveLooks = 5
	aliveFresh = 5 * aliveEvery
)

// Alive asks a member for a sign of life, for as long as ctx allows: false if it
// gives none though ZooKeeper answers, or is not listed. One of an earlier
// release, which does not answer, counts as alive. Error: ErrUnavailable, if
// nothing can be known. It leaves a challenge in the member's znode, as
// a claimant of its name does (claimant.go), or waits with others for the answer
// to theirs: any answer is a sign of life.
func (m *Membership) Alive(ctx context.Context, name string) (bool, error) {
	conn, err := m.Session.Get(ctx)
	if err != nil {
		return false, err
	}
	a := &asker{conn: conn, path: m.Layout.Member(name), challenge: revision.DrawNonce(m.Random).String()}
	for {
		switch alive, known, err := a.look(ctx); {
		case known:
			return alive, nil
		case err == nil:
		case ctx.Err() != nil:
			return false, a.silent(err)
		default:
			return false, fmt.Errorf("%w: ask %s for a sign of life: %w", revision.ErrUnavailable, a.path, err)
		}
		if !zkclient.Sleep(ctx, conn, aliveEvery) {
			if ctx.Err() != nil {
				return false, a.silent(ctx.Err())
			}
			return false, fmt.Errorf("%w: %w", revision.ErrUnavailable, zkclient.ErrSessionOver)
		}
	}
}

// asker waits for a sign of life of one member.
type asker struct {
	conn      zkclient.Conn
	path      string
	challenge string
	looks     int
	answer    string // what the member had answered last, at the first look
	// unanswered counts the looks that found a question; the last was at last.
	unanswered int
	last       time.Time
}

// silent is nil if it is the member that did not answer, and not ZooKeeper.
func (a *asker) silent(err error) error {
	if a.unanswered >= aliveLooks && time.Since(a.last) <= aliveFresh {
		return nil
	}
	return fmt.Errorf("%w: ask %s for a sign of life: %w", revision.ErrUnavailable, a.path, err)
}

// look looks at the znode once, and leaves the challenge there if there is none.
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
		a.unanswered, a.last = a.unanswered+1, time.Now()
		return false, false, nil
	}
	asked, err := withField(data, "challenge", a.challenge)
	if err != nil {
		return false, false, err
	}
	_, err = a.conn.Multi(ctx, zkclient.SetOp(a.path, asked, int64(stat.Version)))
	if errors.Is(err, zk.ErrNoNode) || errors.Is(err, zk.ErrBadVersion) {
		err = nil // the next look tells
	}
	return false, false, err
}
