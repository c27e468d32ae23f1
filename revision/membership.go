package revision

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"
)

// membership keeps this zkine's ephemeral znode, session after session.
type membership struct {
	l *Log
	// me identifies this process, to tell a previous incarnation of the same
	// name from a live rival.
	me incarnation

	mu     sync.Mutex
	record *memberRecord // nil until Join
}

// memberRecord is the data of <root>/members/<name>.
type memberRecord struct {
	Member
	Incarnation incarnation `json:"incarnation"`
}

// parseMember reads a member's record.
func parseMember(data []byte) (record memberRecord, err error) {
	if len(data) > maxMemberRecord {
		return record, fmt.Errorf("%w: a member's record of %d bytes", ErrForeignRoot, len(data))
	}
	err = json.Unmarshal(data, &record)
	return record, err
}

func (m *membership) init(l *Log) {
	m.l = l
	m.me = newIncarnation(l.cfg.Random)
}

// Join announces this zkine as a member, now and in each later session. When
// another live zkine holds the name it waits as long as a dead one's session
// may last, and then returns ErrNameTaken.
func (l *Log) Join(ctx context.Context, member Member) error {
	m := &l.member
	m.mu.Lock()
	m.record = &memberRecord{Member: member, Incarnation: m.me}
	m.mu.Unlock()
	for {
		conn, err := l.session.get(ctx)
		if err != nil {
			return err
		}
		err = m.greet(ctx, conn)
		if err == nil || final(err) || ctx.Err() != nil {
			return err
		}
		l.session.retire(conn)
	}
}

// greet puts the member's znode up on a new session; nothing before Join.
func (m *membership) greet(ctx context.Context, conn Conn) error {
	m.mu.Lock()
	record := m.record
	m.mu.Unlock()
	if record == nil {
		return nil
	}
	path := m.l.layout.member(record.Name)
	create := createOp(path, mustJSON(record))
	create.Flags = zk.FlagEphemeral
	deadline := time.Now().Add(conn.SessionTimeout() + 2*time.Second)
	for {
		_, err := conn.Multi(ctx, create)
		if !errors.Is(err, zk.ErrNodeExists) {
			return err
		}
		if err := m.evict(ctx, conn, path, deadline); err != nil {
			return err
		}
	}
}

// evict removes a previous incarnation's znode, or waits a little for it to
// go. Should two zkines of one name race here, one's entry may be lost until
// its next session: the list of members is for people, the keeper's work is
// decided by the log.
func (m *membership) evict(ctx context.Context, conn Conn, path string, deadline time.Time) error {
	data, stat, err := conn.Get(ctx, path)
	if errors.Is(err, zk.ErrNoNode) {
		return nil
	}
	if err != nil {
		return err
	}
	holder, err := parseMember(data)
	if err != nil {
		return fmt.Errorf("%w: %s is not a member record; remove it", ErrForeignRoot, path)
	}
	if holder.Incarnation.id() == m.me.id() || holder.Incarnation.gone() {
		_, err := conn.Multi(ctx, &zk.DeleteRequest{Path: path, Version: stat.Version})
		if errors.Is(err, zk.ErrNoNode) || errors.Is(err, zk.ErrBadVersion) {
			return nil
		}
		return err
	}
	if time.Now().After(deadline) {
		return fmt.Errorf("%w: %s is held by a live zkine (%v); start with another --name, or stop that one",
			ErrNameTaken, path, holder.Incarnation)
	}
	select {
	case <-time.After(100 * time.Millisecond):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Members implements backend.Log: the live members, the keeper first, then in
// order of age.
func (l *Log) Members(ctx context.Context) ([]Member, error) {
	conn, err := l.session.get(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := l.opContext(ctx)
	defer cancel()
	names, err := conn.Children(ctx, l.layout.members())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	type aged struct {
		Member
		czxid int64
	}
	var found []aged
	for _, name := range names {
		path := l.layout.member(name)
		data, stat, err := conn.Get(ctx, path)
		if errors.Is(err, zk.ErrNoNode) {
			continue // it left meanwhile
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
		record, err := parseMember(data)
		if err != nil || record.Name != name {
			if left, ok := l.seldom.now("member record"); ok {
				l.cfg.Log.Warnf("%s is not a member record; remove it%s", path, left)
			}
			continue
		}
		found = append(found, aged{record.Member, stat.Czxid})
	}
	sort.Slice(found, func(i, j int) bool { return found[i].czxid < found[j].czxid })
	members := make([]Member, len(found))
	for i, f := range found {
		members[i] = f.Member
		members[i].Keeper = i == 0
	}
	return members, nil
}
