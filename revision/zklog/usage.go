package zklog

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/go-zookeeper/zk"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zkroot"
)

// usage is what the root holds in ZooKeeper, as far as is known. Slots, parts,
// packs and chunks never change, so that each is looked at once, and a
// measurement costs a few small requests for each segment.
type usage struct {
	*link
	checkpoints *checkpoints
	segments    *segmentSizes

	one     sync.Mutex // held by a measurement
	lengths map[string]int64
	// manifests are those of the checkpoints named last, by attempt.
	manifests map[string]*recordpb.CheckpointManifest

	mu                 sync.Mutex
	checkpoint, znodes int64 // bytes; znodes but for the segments'
	named              int64 // bytes of the checkpoints that the root's record names
}

// fixedZnodes are the root, format, log, stage, pack, checkpoint and members.
const fixedZnodes = 7

// Sizes implements backend.Log.
func (l *Log) Sizes() revision.Sizes { return l.usage.sizes() }

func (u *usage) sizes() revision.Sizes {
	newest, previous := u.checkpoints.newest(), u.checkpoints.previous()
	s := u.segments.sum(newest.Segment, previous)
	u.mu.Lock()
	defer u.mu.Unlock()
	s.Checkpoint = max(u.checkpoint, newest.Bytes)
	s.Znodes += u.znodes
	s.Live += newest.Bytes
	// Until the next measurement a checkpoint that was just written may not be in named.
	s.Kept = min(s.Kept+max(u.named, newest.Bytes), s.Total())
	return s
}

// Measure implements backend.Log. It uses the session that appends use, for
// small requests only.
func (l *Log) Measure(ctx context.Context) error { return l.usage.measure(ctx) }

func (u *usage) measure(ctx context.Context) error {
	u.one.Lock()
	defer u.one.Unlock()
	conn, err := u.session.Get(ctx)
	if err != nil {
		return err
	}
	m := measuring{usage: u, ctx: ctx, conn: conn, old: u.lengths, seen: map[string]int64{}}
	if err := m.measureSegments(); err != nil {
		return fmt.Errorf("measure the log: %w", err)
	}
	bytes, znodes, err := m.measureCheckpoints()
	if err != nil {
		return fmt.Errorf("measure the checkpoints: %w", err)
	}
	members, err := conn.Children(ctx, u.layout.Members())
	if err != nil {
		return err
	}
	if _, err := conn.Exists(ctx, u.layout.Trust()); err == nil {
		znodes++
	} else if !errors.Is(err, zk.ErrNoNode) {
		return err
	}
	u.lengths = m.seen
	u.mu.Lock()
	defer u.mu.Unlock()
	u.checkpoint, u.named, u.znodes = bytes, m.named, znodes+fixedZnodes+int64(len(members))
	return nil
}

// measuring is a Measure under way. What goes away while it runs is left out.
type measuring struct {
	*usage
	ctx       context.Context
	conn      zkclient.Conn
	old, seen map[string]int64 // lengths of immutable znodes
	// named is the bytes of the chunks that manifests name, each counted once, and of
	// the manifests.
	named int64
}

// measureSegments measures the sealed segments. Those that are gone are forgotten.
func (m *measuring) measureSegments() error {
	refs, err := m.on(m.conn).Segments(m.ctx)
	if err != nil {
		return err
	}
	open, _ := m.tail.head()
	for _, ref := range refs {
		if ref.Number >= open.Number {
			break
		}
		if err := m.measureSegment(ref); err != nil {
			return err
		}
	}
	if len(refs) > 0 {
		m.usage.segments.forget(refs[0].Number - 1)
	}
	return nil
}

// measureSegment measures a sealed segment. While nothing of it is packed, it is what
// was delivered, if it was: a start leaves out what its checkpoint covers.
func (m *measuring) measureSegment(ref zkroot.SegmentRef) error {
	l := m.layout
	var s segmentSize
	packs, err := m.children(l.Pack(ref.Name))
	if err != nil || len(packs) == 0 && m.usage.segments.knows(ref.Number) {
		return err
	}
	if s.packed, err = m.lengthsOf(l.Pack(ref.Name), packs); err != nil {
		return err
	}
	slots, err := m.children(l.Segment(ref.Name))
	if err != nil {
		return err
	}
	if s.log, err = m.lengthsOf(l.Segment(ref.Name), slots); err != nil {
		return err
	}
	parts, err := m.children(l.Stage(ref.Name))
	if err != nil {
		return err
	}
	if s.staged, err = m.lengthsOf(l.Stage(ref.Name), parts); err != nil {
		return err
	}
	s.znodes = int64(len(packs) + len(slots) + len(parts))
	if delivering, _ := m.tail.place(); ref.Number < delivering {
		m.usage.segments.measured(ref.Number, s)
	}
	return nil
}

// measureCheckpoints measures everything below <root>/checkpoint. Most of it is named
// by the manifests, with its length.
func (m *measuring) measureCheckpoints() (bytes, znodes int64, err error) {
	l := m.layout
	if err := m.learnChunks(); err != nil {
		return 0, 0, err
	}
	attempts, err := m.children(l.Checkpoint())
	if err != nil {
		return 0, 0, err
	}
	for _, attempt := range attempts {
		chunks, err := m.children(l.Attempt(attempt))
		if err != nil {
			return 0, 0, err
		}
		n, err := m.lengthsOf(l.Attempt(attempt), chunks)
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
	record, _, err := m.on(m.conn).Checkpoints(m.ctx)
	if err != nil {
		return err
	}
	m.usage.checkpoints.note(record)
	manifests := map[string]*recordpb.CheckpointManifest{}
	shared := map[string]bool{} // chunks, since a checkpoint takes over those that have not changed
	for _, ref := range []*zkroot.CheckpointRef{record.Latest, record.Previous} {
		if ref == nil {
			continue
		}
		manifest := m.manifests[ref.Attempt]
		if manifest == nil {
			if manifest, err = m.on(m.conn).Manifest(m.ctx, ref); errors.Is(err, zk.ErrNoNode) {
				continue // replaced since
			} else if err != nil {
				return err
			}
		}
		if manifests[ref.Attempt] != nil {
			continue
		}
		manifests[ref.Attempt] = manifest
		m.named += int64(ref.Manifest.Length)
		for _, c := range append([]*recordpb.StoredChunk{manifest.Meta}, manifest.Chunks...) {
			blob := zkroot.ChunkRef(c)
			for part := range blob.Parts {
				from, to := blob.Span(part)
				path := m.layout.Chunk(c.Attempt, int(c.Number), part)
				if !shared[path] {
					shared[path] = true
					m.named += int64(to - from)
				}
				m.learn(path, int64(to-from))
			}
		}
	}
	m.manifests = manifests
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

// lengthsOf adds up the data of znodes that never change.
func (m *measuring) lengthsOf(folder string, names []string) (sum int64, err error) {
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
