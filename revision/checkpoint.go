package revision

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"iter"

	"github.com/go-zookeeper/zk"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/revision/recordpb"
)

// A checkpoint is the whole state after a segment's last slot. It is written
// into a folder of its own, an attempt, and takes chunks over from the one
// before that have not changed. It counts once <root>/checkpoint names it,
// which one multi does that checks that znode's version: of two writers one
// wins, and an attempt begun before the latest switch can never win any more.
//
// Nobody relies on a checkpoint for what they have applied: it only spares
// starting members the log before it, which therefore may go.

// Checkpoint is a stored checkpoint.
type Checkpoint struct {
	// Segment is the last one that it covers.
	Segment int64
	// Meta is what the state encoded of itself but for its keys.
	Meta []byte

	log    *Log
	ref    *checkpointRef
	chunks []*recordpb.StoredChunk
}

// Checkpoint returns the checkpoint after which Next begins to deliver; false
// if it begins with the first slot there ever was.
func (l *Log) Checkpoint() (*Checkpoint, bool) { return l.loaded, l.loaded != nil }

// RawBytes is what all chunks hold.
func (c *Checkpoint) RawBytes() (n int64) {
	for _, chunk := range c.chunks {
		n += int64(chunk.RawLength)
	}
	return n
}

// readAhead is how many chunks are read at once, before they are asked for.
const readAhead = 8

// Chunks yields the chunks in order, reading ahead. It stops at an error:
// ErrCorrupt, or that the connection was lost or the checkpoint replaced
// meanwhile, for which Reload is the remedy.
func (c *Checkpoint) Chunks(ctx context.Context) iter.Seq2[[]byte, error] {
	type result struct {
		data []byte
		err  error
	}
	return func(yield func([]byte, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		ahead := make(chan chan result, readAhead)
		go func() {
			defer close(ahead)
			for _, chunk := range c.chunks {
				ch := make(chan result, 1)
				select {
				case ahead <- ch:
				case <-ctx.Done():
					return
				}
				go func() {
					data, err := c.log.readChunk(ctx, c.ref, chunk)
					ch <- result{data, err}
				}()
			}
		}()
		for ch := range ahead {
			r := <-ch
			if !yield(r.data, r.err) || r.err != nil {
				return
			}
		}
	}
}

func (l *Log) readChunk(ctx context.Context, of *checkpointRef, c *recordpb.StoredChunk) ([]byte, error) {
	conn, err := l.session.get(ctx)
	if err != nil {
		return nil, err
	}
	data, err := readBlob(ctx, conn, chunkRef(c), func(part int) string { return l.layout.chunk(c.Attempt, int(c.Number), part) })
	if err != nil {
		return nil, l.replacedOrLost(ctx, conn, of, err)
	}
	return data, nil
}

func chunkRef(c *recordpb.StoredChunk) blobRef {
	return blobRef{Parts: int(c.Parts), Length: int(c.StoredLength), Raw: int(c.RawLength), Checksum: c.Checksum}
}

// readCheckpointRecord reads <root>/checkpoint and its version. A root made
// before there were checkpoints has none.
func readCheckpointRecord(ctx context.Context, conn Conn, l layout) (checkpointRecord, int64, error) {
	var record checkpointRecord
	data, stat, err := conn.Get(ctx, l.checkpoint())
	if err != nil {
		return record, 0, fmt.Errorf("read %s: %w", l.checkpoint(), err)
	}
	if record, err = parseCheckpointRecord(l, data); err != nil {
		return record, 0, err
	}
	return record, int64(stat.Version), nil
}

func parseCheckpointRecord(l layout, data []byte) (record checkpointRecord, err error) {
	err = json.Unmarshal(data, &record)
	for _, ref := range []*checkpointRef{record.Latest, record.Previous} {
		if err == nil && ref != nil {
			err = ref.check()
		}
	}
	if err == nil && record.Latest == nil && record.Previous != nil {
		err = errors.New("no latest one")
	}
	if err != nil {
		return checkpointRecord{}, fmt.Errorf("%w: %s is not a checkpoint record (%w); restore it from a backup of ZooKeeper", ErrCorrupt, l.checkpoint(), err)
	}
	return record, nil
}

// check is an error for what no checkpoint's place is.
func (r *checkpointRef) check() error {
	attempt, err := parseSegmentRef(r.Attempt)
	if err != nil {
		return err
	}
	if attempt.number != r.Segment || r.Revision < 1 || r.Bytes < 0 {
		return fmt.Errorf("segment %d, revision %d, %d bytes", r.Segment, r.Revision, r.Bytes)
	}
	return r.Manifest.check()
}

func readManifest(ctx context.Context, conn Conn, l layout, ref *checkpointRef) (*recordpb.CheckpointManifest, error) {
	raw, err := readBlob(ctx, conn, ref.Manifest, func(part int) string { return l.manifest(ref.Attempt, part) })
	if err != nil {
		return nil, err
	}
	var manifest recordpb.CheckpointManifest
	if err := proto.Unmarshal(raw, &manifest); err != nil || checkManifest(&manifest) != nil || manifest.Segment != ref.Segment {
		return nil, fmt.Errorf("%w: %s is not the manifest of a checkpoint (%w); restore it from a backup of ZooKeeper",
			ErrCorrupt, l.manifest(ref.Attempt, 0), errors.Join(err, checkManifest(&manifest)))
	}
	return &manifest, nil
}

// checkManifest is an error for what a checkpointWriter never writes.
func checkManifest(m *recordpb.CheckpointManifest) error {
	if m.Meta == nil || m.Segment < 1 {
		return fmt.Errorf("%w: no meta, or no segment", ErrCorrupt)
	}
	for _, c := range append([]*recordpb.StoredChunk{m.Meta}, m.Chunks...) {
		if _, err := parseSegmentRef(c.Attempt); err != nil || c.Number < 0 {
			return fmt.Errorf("%w: chunk %d of %q", ErrCorrupt, c.Number, c.Attempt)
		}
		if err := chunkRef(c).check(); err != nil {
			return fmt.Errorf("chunk %d of %q: %w", c.Number, c.Attempt, err)
		}
	}
	return nil
}

// loadCheckpoint reads the newest checkpoint but for its keys; nil if there is
// none.
func (l *Log) loadCheckpoint(ctx context.Context, conn Conn) (*Checkpoint, error) {
	record, _, err := readCheckpointRecord(ctx, conn, l.layout)
	if err != nil || record.Latest == nil {
		return nil, err
	}
	manifest, err := readManifest(ctx, conn, l.layout, record.Latest)
	if err != nil {
		return nil, l.replacedOrLost(ctx, conn, record.Latest, err)
	}
	m := manifest.Meta
	meta, err := readBlob(ctx, conn, chunkRef(m), func(part int) string { return l.layout.chunk(m.Attempt, int(m.Number), part) })
	if err != nil {
		return nil, l.replacedOrLost(ctx, conn, record.Latest, err)
	}
	l.noteCheckpoints(record)
	return &Checkpoint{Segment: manifest.Segment, Meta: meta, log: l, ref: record.Latest, chunks: manifest.Chunks}, nil
}

// replacedOrLost judges an error from reading a checkpoint. A znode may be
// missing because a newer checkpoint has replaced this one; if none has, it is
// lost, and trying again would never end.
func (l *Log) replacedOrLost(ctx context.Context, conn Conn, ref *checkpointRef, err error) error {
	if !errors.Is(err, zk.ErrNoNode) {
		return err
	}
	if err := barrier(ctx, conn, l.layout); err != nil {
		return err
	}
	record, _, readErr := readCheckpointRecord(ctx, conn, l.layout)
	if readErr != nil {
		return readErr
	}
	if record.Latest == nil || record.Latest.Attempt != ref.Attempt {
		return err
	}
	return fmt.Errorf("%w: %w; restore it from a backup of ZooKeeper", ErrCorrupt, err)
}

// ErrNotNeeded says that a checkpoint as new as this one is there already.
var ErrNotNeeded = errors.New("revision: a newer checkpoint exists")

// SaveCheckpoint stores the state after the last slot of a segment and makes
// it the newest checkpoint. keys yields its chunks, whose bytes belong to the
// log from then on; it may be called again, and an error of it ends it all.
// pace is called after each write, and may wait. Errors: ErrNotNeeded; else it
// may be tried again.
func (l *Log) SaveCheckpoint(ctx context.Context, segment int64, rev Rev, meta []byte,
	keys func(yield func([]byte) bool) error, pace func(context.Context) error) error {
	conn, err := l.dialBulk(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	for range patientTries {
		err = l.saveCheckpoint(ctx, conn, segment, rev, meta, keys, pace)
		if !overtaken(err) {
			break
		}
	}
	return err
}

// patientTries is how often one begins anew, when another member was faster
// and what one has read of ZooKeeper is no longer so.
const patientTries = 5

// overtaken says whether a check failed, or something is there or not there
// against expectation: another keeper was at work.
func overtaken(err error) bool {
	return errors.Is(err, zk.ErrBadVersion) || errors.Is(err, zk.ErrNoNode) || errors.Is(err, zk.ErrNodeExists) || errors.Is(err, zk.ErrNotEmpty)
}

func (l *Log) saveCheckpoint(ctx context.Context, conn Conn, segment int64, rev Rev, meta []byte,
	keys func(yield func([]byte) bool) error, pace func(context.Context) error) (err error) {
	w := &checkpointWriter{l: l, ctx: ctx, conn: conn, pace: pace,
		manifest: &recordpb.CheckpointManifest{Segment: segment, Revision: int64(rev)}}
	if err := w.begin(segment); err != nil {
		return err
	}
	if w.manifest.Meta, err = w.store(meta); err != nil {
		return err
	}
	var failed error
	err = keys(func(chunk []byte) bool {
		var stored *recordpb.StoredChunk
		stored, failed = w.store(chunk)
		w.manifest.Chunks = append(w.manifest.Chunks, stored)
		return failed == nil
	})
	if err = errors.Join(err, failed); err != nil {
		return err
	}
	return w.finish(rev)
}

// dialBulk opens a session for what is large and can wait, so that it never
// stands before a commit. The server may lag: a barrier comes first.
func (l *Log) dialBulk(ctx context.Context) (Conn, error) {
	dialer := l.cfg.Bulk
	if dialer == nil {
		dialer = l.cfg.Dialer
	}
	conn, err := dialer.Dial(ctx)
	if err != nil {
		return nil, err
	}
	if err := barrier(ctx, conn, l.layout); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// checkpointWriter writes one attempt.
type checkpointWriter struct {
	l        *Log
	ctx      context.Context
	conn     Conn
	pace     func(context.Context) error
	record   checkpointRecord
	version  int64 // of <root>/checkpoint when the attempt began
	attempt  string
	manifest *recordpb.CheckpointManifest
	known    map[string]*recordpb.StoredChunk // by hash
	number   int32
	bytes    int64
}

func (w *checkpointWriter) begin(segment int64) error {
	var err error
	if w.record, w.version, err = readCheckpointRecord(w.ctx, w.conn, w.l.layout); err != nil {
		return err
	}
	w.known = map[string]*recordpb.StoredChunk{}
	if latest := w.record.Latest; latest != nil {
		w.l.noteCheckpoints(w.record)
		if latest.Segment >= segment {
			return ErrNotNeeded
		}
		manifest, err := readManifest(w.ctx, w.conn, w.l.layout, latest)
		if err != nil {
			return err
		}
		for _, c := range append(manifest.Chunks, manifest.Meta) {
			w.known[string(c.Hash)] = c
		}
	}
	w.attempt = newSegmentRef(segment, w.l.cfg.Random).name
	_, err = w.conn.Multi(w.ctx, checkOp(w.l.layout.checkpoint(), w.version), createOp(w.l.layout.attempt(w.attempt), nil))
	return err
}

// store writes a chunk, unless the last checkpoint has the same one.
func (w *checkpointWriter) store(raw []byte) (*recordpb.StoredChunk, error) {
	sum := sha256.Sum256(raw)
	hash := sum[:16]
	if c := w.known[string(hash)]; c != nil && bytes.Equal(c.Hash, hash) {
		w.bytes += int64(c.StoredLength)
		return c, nil
	}
	if len(raw) > maxRaw {
		return nil, fmt.Errorf("%w: %d bytes of a checkpoint in one piece", ErrTooLarge, len(raw))
	}
	stored, ref := encodeBlob(raw, w.l.limit())
	c := &recordpb.StoredChunk{Attempt: w.attempt, Number: w.number, Parts: int32(ref.Parts),
		StoredLength: uint32(ref.Length), RawLength: uint32(ref.Raw), Checksum: ref.Checksum, Hash: hash}
	w.number++
	w.bytes += int64(ref.Length)
	err := writeBlob(w.ctx, w.conn, stored, ref, w.guard(), func(part int) string {
		return w.l.layout.chunk(w.attempt, int(c.Number), part)
	})
	if err != nil {
		return nil, err
	}
	return c, w.pace(w.ctx)
}

// guard ends an attempt that can no longer win.
func (w *checkpointWriter) guard() any { return checkOp(w.l.layout.checkpoint(), w.version) }

// finish writes the manifest and switches to it. If the reply is lost, the
// next checkpoint's begin finds out what became of it.
func (w *checkpointWriter) finish(rev Rev) error {
	raw, err := proto.Marshal(w.manifest)
	if err != nil {
		return err
	}
	if len(raw) > maxRaw {
		return fmt.Errorf("%w: a checkpoint's manifest of %d bytes", ErrTooLarge, len(raw))
	}
	stored, ref := encodeBlob(raw, w.l.limit())
	err = writeBlob(w.ctx, w.conn, stored, ref, w.guard(), func(part int) string {
		return w.l.layout.manifest(w.attempt, part)
	})
	if err != nil {
		return err
	}
	next := checkpointRecord{Previous: w.record.Latest, Latest: &checkpointRef{
		Attempt: w.attempt, Segment: w.manifest.Segment, Revision: rev, Bytes: w.bytes + int64(ref.Length), Manifest: ref}}
	_, err = w.conn.Multi(w.ctx, setOp(w.l.layout.checkpoint(), mustJSON(next), w.version))
	if errors.Is(err, zk.ErrBadVersion) {
		return ErrNotNeeded
	}
	if err == nil {
		w.l.noteCheckpoints(next)
	}
	return err
}

// KeepNewest makes the checkpoint of a segment, the newest one, the previous one
// too, so that the next Housekeep removes all that it makes needless. A member
// that is just starting from the one before goes on from this one instead.
// Errors: ErrNotNeeded, if it is not the newest any more; else it may be tried
// again.
func (l *Log) KeepNewest(ctx context.Context, segment int64) error {
	conn, err := l.dialBulk(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	for range patientTries {
		var record checkpointRecord
		var version int64
		if record, version, err = readCheckpointRecord(ctx, conn, l.layout); err != nil {
			return err
		}
		l.noteCheckpoints(record)
		switch {
		case record.Latest == nil || record.Latest.Segment != segment:
			return ErrNotNeeded
		case record.alone():
			return nil
		}
		record.Previous = record.Latest
		if _, err = conn.Multi(ctx, setOp(l.layout.checkpoint(), mustJSON(record), version)); err == nil {
			l.noteCheckpoints(record)
		}
		if !overtaken(err) {
			return err
		}
	}
	return err
}

// Newest is the newest checkpoint, as far as it is known.
type Newest struct {
	// Segment is the last one that it covers, 0 if there is no checkpoint.
	Segment int64
	// Bytes is what it takes in ZooKeeper.
	Bytes int64
	// Alone says that none is kept besides it.
	Alone bool
}

// Newest implements backend.Log. It is up to date after Measure.
func (l *Log) Newest() Newest {
	record := l.checkpoints.Load()
	if record == nil || record.Latest == nil {
		return Newest{}
	}
	return Newest{Segment: record.Latest.Segment, Bytes: record.Latest.Bytes, Alone: record.alone()}
}

// noteCheckpoints remembers which checkpoints there are.
func (l *Log) noteCheckpoints(record checkpointRecord) { l.checkpoints.Store(&record) }

// CheckpointDue says whether the log up to the end of a segment has outgrown
// the newest checkpoint that is known of: so the log never holds much more than
// twice the state, and a checkpoint is paid for by as much log.
func (l *Log) CheckpointDue(segment int64) bool {
	newest := l.Newest()
	return segment > newest.Segment && l.tail.bytesAfter(newest.Segment, segment) >= max(newest.Bytes, l.cfg.CheckpointFrom)
}
