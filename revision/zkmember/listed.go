package zkmember

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zkclient"
)

// listedFor is for how long a list is believed while no znode comes or goes: a person
// may have mended one that was no member's, which shows in nothing that is looked at.
const listedFor = 10 * time.Second

// listed is the members as they were read last. Who looks again whether they have
// changed reads one znode, whose pzxid is that of the newest znode that came or went
// below it: what a record says of a member does not change as long as its znode lives.
type listed struct {
	mu      sync.Mutex
	members []revision.Member // never changed
	// conn is where they were read, and pzxid what it showed just before.
	conn  zkclient.Conn
	pzxid int64
	at    time.Time
}

// still is the list if it was read on this connection, and nothing has come or gone
// since.
func (l *listed) still(conn zkclient.Conn, pzxid int64) (members []revision.Member, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn != conn || l.pzxid != pzxid || time.Since(l.at) >= listedFor {
		return nil, false
	}
	return slices.Clone(l.members), true
}

func (l *listed) set(conn zkclient.Conn, pzxid int64, members []revision.Member) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conn, l.pzxid, l.members, l.at = conn, pzxid, slices.Clone(members), time.Now()
}

// Members lists the live members, the keeper first, then in order of age. Error:
// ErrUnavailable, or the session's.
func (m *Membership) Members(ctx context.Context) ([]revision.Member, error) {
	conn, err := m.Session.Get(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := m.Session.Bound(ctx)
	defer cancel()
	_, stat, err := conn.Get(ctx, m.Layout.Members())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", revision.ErrUnavailable, err)
	}
	if members, ok := m.listed.still(conn, stat.Pzxid); ok {
		return members, nil
	}
	// What comes or goes while the list is read changes the pzxid after the one above.
	members, err := List(ctx, conn, m.Layout, func(path string) {
		if left, ok := m.Said.Allow("member record"); ok {
			m.Log.Warnf("%s is not a member record; remove it%s", path, left)
		}
	})
	if err != nil {
		return nil, err
	}
	m.listed.set(conn, stat.Pzxid, members)
	return members, nil
}
