package zklog

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/go-zookeeper/zk"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zkroot"
)

// SaveCheckpoint stores the state after the last slot of a segment and makes
// it the newest checkpoint. keys yields its chunks, whose bytes the log needs no
// more once it is done with a chunk; it may be called again, and an error of it ends
// it all. pace is called after each write, and may wait. Errors: ErrNotNeeded; else
// it may be tried again.
func (l *Log) SaveCheckpoint(ctx context.Context, segment int64, rev revision.Rev, meta []byte,
	keys func(yield func([]byte) bool) error, pace func(context.Context) error) error {
	conn, err := l.dialBulk(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	for range patientTries {
		w := &checkpointWriter{checkpoints: &l.checkpoints, ctx: ctx, conn: conn, pace: pace,
			manifest: &recordpb.CheckpointManifest{Segment: segment, Revision: int64(rev)}}
		err = w.save(meta, keys)
		if !overtaken(err) {
			break
		}
	}
	return err
}

// patientTries is how often work begins again because another member was faster
// and what was read of ZooKeeper is no longer so.
const patientTries = 5

// overtaken says whether a check failed, or something is there or not there
// against expectation: another keeper was at work.
func overtaken(err error) bool {
	return errors.Is(err, zk.ErrBadVersion) || errors.Is(err, zk.ErrNoNode) || errors.Is(err, zk.ErrNodeExists) || errors.Is(err, zk.ErrNotEmpty)
}

// save writes all of the attempt, and switches to it.
func (w *checkpointWriter) save(meta []byte, keys func(yield func([]byte) bool) error) (err error) {
	if err := w.begin(w.manifest.Segment); err != nil {
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
	return w.finish(revision.Rev(w.manifest.Revision))
}

// checkpointWriter writes one attempt.
type checkpointWriter struct {
	*checkpoints
	ctx      context.Context
	conn     zkclient.Conn
	pace     func(context.Context) error
	record   zkroot.CheckpointRecord
	version  int64 // of <root>/checkpoint when the attempt began
	attempt  string
	manifest *recordpb.CheckpointManifest
	known    map[string]*recordpb.StoredChunk // by hash
	number   int32
	bytes    int64
}

func (w *checkpointWriter) begin(segment int64) error {
	var err error
	if w.record, w.version, err = w.on(w.conn).Checkpoints(w.ctx); err != nil {
		return err
	}
	w.known = map[string]*recordpb.StoredChunk{}
	if latest := w.record.Latest; latest != nil {
		w.note(w.record)
		if latest.Segment >= segment {
			return revision.ErrNotNeeded
		}
		manifest, err := w.on(w.conn).Manifest(w.ctx, latest)
		if err != nil {
			return err
		}
		for _, c := range append(manifest.Chunks, manifest.Meta) {
			w.known[string(c.Hash)] = c
		}
	}
	w.attempt = zkroot.NewSegmentRef(segment, w.cfg.Random).Name
	_, err = w.conn.Multi(w.ctx, zkclient.CheckOp(w.layout.Checkpoint(), w.version), zkclient.CreateOp(w.layout.Attempt(w.attempt), nil))
	return err
}

// store writes a chunk, unless the last checkpoint has the same one.
func (w *checkpointWriter) store(raw []byte) (*recordpb.StoredChunk, error) {
	hash := zkroot.ChunkHash(raw)
	if c := w.known[string(hash)]; c != nil && bytes.Equal(c.Hash, hash) {
		w.bytes += int64(c.StoredLength)
		return c, nil
	}
	if len(raw) > zkroot.MaxRaw {
		return nil, fmt.Errorf("%w: %d bytes of a checkpoint in one piece", revision.ErrTooLarge, len(raw))
	}
	stored, ref := zkroot.EncodeBlob(raw, w.request.limit())
	c := &recordpb.StoredChunk{Attempt: w.attempt, Number: w.number, Hash: hash}
	zkroot.DescribeChunk(c, ref)
	w.number++
	w.bytes += int64(ref.Length)
	err := zkroot.WriteBlob(w.ctx, w.conn, stored, ref, w.guard(), func(part int) string {
		return w.layout.Chunk(w.attempt, int(c.Number), part)
	})
	if err != nil {
		return nil, err
	}
	return c, w.pace(w.ctx)
}

// guard ends an attempt that can no longer win.
func (w *checkpointWriter) guard() any { return zkclient.CheckOp(w.layout.Checkpoint(), w.version) }

// finish writes the manifest and switches to it. If the reply is lost, the
// next checkpoint's begin finds out what became of it.
func (w *checkpointWriter) finish(rev revision.Rev) error {
	raw, err := proto.Marshal(w.manifest)
	if err != nil {
		return err
	}
	if len(raw) > zkroot.MaxRaw {
		return fmt.Errorf("%w: a checkpoint's manifest of %d bytes", revision.ErrTooLarge, len(raw))
	}
	stored, ref := zkroot.EncodeBlob(raw, w.request.limit())
	err = zkroot.WriteBlob(w.ctx, w.conn, stored, ref, w.guard(), func(part int) string {
		return w.layout.Manifest(w.attempt, part)
	})
	if err != nil {
		return err
	}
	next := zkroot.CheckpointRecord{Previous: w.record.Latest, Latest: &zkroot.CheckpointRef{
		Attempt: w.attempt, Segment: w.manifest.Segment, Revision: rev, Bytes: w.bytes + int64(ref.Length), Manifest: ref}}
	_, err = w.conn.Multi(w.ctx, zkclient.SetOp(w.layout.Checkpoint(), zkroot.MustJSON(next), w.version))
	if errors.Is(err, zk.ErrBadVersion) {
		return revision.ErrNotNeeded
	}
	if err == nil {
		w.note(next)
	}
	return err
}
