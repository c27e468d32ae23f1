package revision

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/go-zookeeper/zk"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/revision/recordpb"
)

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
	w := &checkpointWriter{checkpoints: &l.checkpoints, ctx: ctx, conn: conn, pace: pace,
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

// checkpointWriter writes one attempt.
type checkpointWriter struct {
	*checkpoints
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
	if w.record, w.version, err = w.on(w.conn).checkpoints(w.ctx); err != nil {
		return err
	}
	w.known = map[string]*recordpb.StoredChunk{}
	if latest := w.record.Latest; latest != nil {
		w.note(w.record)
		if latest.Segment >= segment {
			return ErrNotNeeded
		}
		manifest, err := w.on(w.conn).manifest(w.ctx, latest)
		if err != nil {
			return err
		}
		for _, c := range append(manifest.Chunks, manifest.Meta) {
			w.known[string(c.Hash)] = c
		}
	}
	w.attempt = newSegmentRef(segment, w.cfg.Random).name
	_, err = w.conn.Multi(w.ctx, checkOp(w.layout.checkpoint(), w.version), createOp(w.layout.attempt(w.attempt), nil))
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
	stored, ref := encodeBlob(raw, w.request.limit())
	c := &recordpb.StoredChunk{Attempt: w.attempt, Number: w.number, Parts: int32(ref.Parts),
		StoredLength: uint32(ref.Length), RawLength: uint32(ref.Raw), Checksum: ref.Checksum, Hash: hash}
	w.number++
	w.bytes += int64(ref.Length)
	err := writeBlob(w.ctx, w.conn, stored, ref, w.guard(), func(part int) string {
		return w.layout.chunk(w.attempt, int(c.Number), part)
	})
	if err != nil {
		return nil, err
	}
	return c, w.pace(w.ctx)
}

// guard ends an attempt that can no longer win.
func (w *checkpointWriter) guard() any { return checkOp(w.layout.checkpoint(), w.version) }

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
	stored, ref := encodeBlob(raw, w.request.limit())
	err = writeBlob(w.ctx, w.conn, stored, ref, w.guard(), func(part int) string {
		return w.layout.manifest(w.attempt, part)
	})
	if err != nil {
		return err
	}
	next := checkpointRecord{Previous: w.record.Latest, Latest: &checkpointRef{
		Attempt: w.attempt, Segment: w.manifest.Segment, Revision: rev, Bytes: w.bytes + int64(ref.Length), Manifest: ref}}
	_, err = w.conn.Multi(w.ctx, setOp(w.layout.checkpoint(), mustJSON(next), w.version))
	if errors.Is(err, zk.ErrBadVersion) {
		return ErrNotNeeded
	}
	if err == nil {
		w.note(next)
	}
	return err
}
