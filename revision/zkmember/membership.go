package zkmember

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/sirupsen/logrus"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/throttle"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zkroot"
)

// Env is what a Membership needs of the log.
type Env struct {
	Session *zkclient.Session
	Layout  zkroot.Layout
	// Group runs the goroutines that keep the member's znode; they end with the
	// context of New.
	Group *zkclient.Group
	// Unusable deals with an error that leaves only another try: it pauses, or
	// gives the connection up.
	Unusable func(ctx context.Context, conn zkclient.Conn, err error) error
	// Random is where nonces and the jitter of pauses come from: it never fails, and
	// may be read by many at once.
	Random io.Reader
	// Said keeps warnings from being repeated.
	Said *throttle.Lines
	Log  *logrus.Entry
}

// Membership keeps this zkine's ephemeral znode, session after session. What the
// list of members is for stands any delay: people read it, the oldest member
// keeps house, and checkpoints wait for a second opinion if there is a second
// member. So a zkine serves before its znode is up, where another one's, of the
// same name, is in the way; claimant.go decides whose the name is.
type Membership struct {
	Env
	ctx context.Context // ends with the log
	// me identifies this process, to tell a previous incarnation of the same
	// name from a live rival.
	me incarnation

	mu     sync.Mutex
	record *memberRecord // nil until Join
	// on is the connection whose session is to hold the znode: the newest.
	on zkclient.Conn
	up bool // it was put up there

	listed listed
}

// New returns a membership that is not announced yet. What it begins ends with
// ctx.
func New(ctx context.Context, env Env) *Membership {
	return &Membership{Env: env, ctx: ctx, me: newIncarnation(env.Random)}
}

// Join announces this zkine as a member, now and in each later session. If
// another zkine holds the name, and proves at once that it lives, that is
// ErrNameTaken. Else Join does not wait for the end of the other's session: this
// zkine is listed once that is over, or the other has proved nothing for long
// enough. Should it prove itself later, the log fails with ErrNameTaken.
func (m *Membership) Join(ctx context.Context, member revision.Member) error {
	m.mu.Lock()
	m.record = &memberRecord{Member: member, Incarnation: m.me, Answers: true}
	m.mu.Unlock()
	for {
		conn, err := m.Session.Get(ctx)
		if err != nil {
			return err
		}
		c := m.claim(conn)
		if c == nil {
			return revision.ErrClosed // it has left by now
		}
		err = c.putUp(ctx, proofWait)
		if err == nil || c.later(err) {
			m.follow(c)
			return nil
		}
		if revision.Fatal(err) || ctx.Err() != nil {
			return err
		}
		m.Unusable(ctx, conn, err) //nolint:errcheck // it is not final
	}
}

// Renew puts the member's znode up on a new session; nothing before Join. What
// stands in the way is dealt with beside the session's work.
func (m *Membership) Renew(ctx context.Context, conn zkclient.Conn) error {
	c := m.claim(conn)
	if c == nil {
		return nil
	}
	err := c.putUp(ctx, 0)
	if err == nil || errors.Is(err, errHeld) || errors.Is(err, revision.ErrRefused) {
		m.follow(c)
		return nil
	}
	return err
}

// claim makes a connection the one whose session holds the znode; nil if there
// is to be none.
func (m *Membership) claim(conn zkclient.Conn) *claimant {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.record == nil {
		return nil
	}
	if m.on != conn {
		m.on, m.up = conn, false
	}
	return &claimant{m: m, conn: conn, record: m.record, path: m.Layout.Member(m.record.Name),
		refused: zkclient.Backoff{Random: m.Random}}
}

// holds says whether a connection's session is to hold the znode, and whether it
// was put up there.
func (m *Membership) holds(conn zkclient.Conn) (current, up bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	current = m.on == conn && m.record != nil // nil again when this zkine leaves
	return current, current && m.up
}

func (m *Membership) isUp(conn zkclient.Conn) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.up = m.on == conn
}

func (m *Membership) isGone(conn zkclient.Conn) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.on == conn {
		m.up = false
	}
}

// follow keeps the znode up for as long as a connection is the one for that.
func (m *Membership) follow(c *claimant) {
	m.Group.Go(func() { c.run(m.ctx) })
}
