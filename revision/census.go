package revision

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/go-zookeeper/zk"

	"github.com/zkine/zkine/revision/recordpb"
)

// census is what Measure has found. Slots, parts, packs and chunks never
// change, so that each is looked at once, and a Measure costs a few small
// requests for each segment.
type census struct {
	one     sync.Mutex // held by a Measure
	lengths map[string]int64
	// manifests are those of the checkpoints named last, by attempt.
	manifests map[string]*recordpb.CheckpointManifest

	mu                 sync.Mutex
	checkpoint, znodes int64 // bytes; znodes but for the segments'
}

// fixedZnodes are the root, format, log, stage, pack, checkpoint and members.
const fixedZnodes = 7

// Measure implements backend.Log. It uses the session that appends use, for
// small requests only.
func (l *Log) Measure(ctx context.Context) error {
	l.census.one.Lock()
	defer l.census.one.Unlock()
	conn, err := l.session.get(ctx)
	if err != nil {
		return err
	}
	m := measuring{l: l, ctx: ctx, conn: conn, old: l.census.lengths, seen: map[string]int64{}}
	if err := m.segments(); err != nil {
		return fmt.Errorf("measure the log: %w", err)
	}
	bytes, znodes, err := m.checkpoints()
	if err != nil {
		return fmt.Errorf("measure the checkpoints: %w", err)
	}
	members, err := conn.Children(ctx, l.layout.members())
	if err != nil {
		return err
	}
	if _, err := conn.Exists(ctx, l.layout.trust()); err == nil {
		znodes++
	} else if !errors.Is(err, zk.ErrNoNode) {
		return err
	}
	l.census.lengths = m.seen
	l.census.mu.Lock()
	defer l.census.mu.Unlock()
	l.census.checkpoint, l.census.znodes = bytes, znodes+fixedZnodes+int64(len(members))
	return nil
}

// measuring is a Measure under way. What goes away meanwhile is left out.
type measuring struct {
	l         *Log
	ctx       context.Context
	conn      Conn
	old, seen map[string]int64 // lengths of immutable znodes
}

// segments measures the sealed segments. Those that are gone are forgotten.
func (m *measuring) segments() error {
	refs, err := m.l.on(m.conn).segments(m.ctx)
	if err != nil {
		return err
	}
	open, _ := m.l.tail.head()
	for _, ref := range refs {
		if ref.number >= open.number {
			break
		}
		if err := m.segment(ref); err != nil {
			return err
		}
	}
	if len(refs) > 0 {
		m.l.tail.trimmed(refs[0].number - 1)
	}
	return nil
}

// segment measures a sealed segment. While nothing of it is packed, it is what
// was delivered, if it was: a start leaves out what its checkpoint covers.
func (m *measuring) segment(ref segmentRef) error {
	l := m.l.layout
	var s segmentSize
	packs, err := m.children(l.pack(ref.name))
	if err != nil || len(packs) == 0 && m.l.tail.knows(ref.number) {
		return err
	}
	if s.packed, err = m.lengths(l.pack(ref.name), packs); err != nil {
		return err
	}
	slots, err := m.children(l.segment(ref.name))
	if err != nil {
		return err
	}
	if s.log, err = m.lengths(l.segment(ref.name), slots); err != nil {
		return err
	}
	parts, err := m.children(l.stage(ref.name))
	if err != nil {
		return err
	}
	if s.staged, err = m.lengths(l.stage(ref.name), parts); err != nil {
		return err
	}
	s.znodes = int64(len(packs) + len(slots) + len(parts))
	m.l.tail.measured(ref.number, s)
	return nil
}

// checkpoints measures everything below <root>/checkpoint. Most of it is named
// by the manifests, with its length.
func (m *measuring) checkpoints() (bytes, znodes int64, err error) {
	l := m.l.layout
	if err := m.learnChunks(); err != nil {
		return 0, 0, err
	}
	attempts, err := m.children(l.checkpoint())
	if err != nil {
		return 0, 0, err
	}
	for _, attempt := range attempts {
		chunks, err := m.children(l.attempt(attempt))
		if err != nil {
			return 0, 0, err
		}
		n, err := m.lengths(l.attempt(attempt), chunks)
		if err != nil {
			return 0, 0, err
		}
		bytes += n
		znodes += int64(1 + len(chunks))
	}
	return bytes, znodes, nil
}

// learnChunks reads the manifests of the checkpoints that are named.
func (m *measuring) learnChunks() error {
	record, _, err := m.l.on(m.conn).checkpoints(m.ctx)
	if err != nil {
		return err
	}
	m.l.noteCheckpoints(record)
	manifests := map[string]*recordpb.CheckpointManifest{}
	for _, ref := range []*checkpointRef{record.Latest, record.Previous} {
		if ref == nil {
			continue
		}
		manifest := m.l.census.manifests[ref.Attempt]
		if manifest == nil {
			if manifest, err = m.l.on(m.conn).manifest(m.ctx, ref); errors.Is(err, zk.ErrNoNode) {
				continue // replaced meanwhile
			} else if err != nil {
				return err
			}
		}
		manifests[ref.Attempt] = manifest
		for _, c := range append([]*recordpb.StoredChunk{manifest.Meta}, manifest.Chunks...) {
			blob := chunkRef(c)
			for part := range blob.Parts {
				from, to := blob.span(part)
				m.learn(m.l.layout.chunk(c.Attempt, int(c.Number), part), int64(to-from))
			}
		}
	}
	m.l.census.manifests = manifests
	return nil
}

func (m *measuring) learn(path string, length int64) {
	if m.old == nil {
		m.old = map[string]int64{}
	}
	m.old[path] = length
}

func (m *measuring) children(path string) ([]string, error) {
	names, err := m.conn.Children(m.ctx, path)
	if errors.Is(err, zk.ErrNoNode) {
		return nil, nil
	}
	return names, err
}

// lengths adds up the data of znodes that never change.
func (m *measuring) lengths(folder string, names []string) (sum int64, err error) {
	for _, name := range names {
		path := folder + "/" + name
		n, known := m.old[path]
		if !known {
			stat, err := m.conn.Exists(m.ctx, path)
			if errors.Is(err, zk.ErrNoNode) {
				continue
			}
			if err != nil {
				return 0, err
			}
			n = int64(stat.DataLength)
		}
		m.seen[path] = n
		sum += n
	}
	return sum, nil
}
