package archive

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
	"github.com/zkine/zkine/revision/zkroot"
)

// manifest is the last object of a checkpoint.
type manifest struct {
	Segment  int64        `json:"segment"`
	Revision revision.Rev `json:"revision"`
	// Chunks are the meta, then the keys in order.
	Chunks []chunkRef `json:"chunks"`
}

type chunkRef struct {
	Bytes  int64  `json:"bytes"` // uncompressed
	SHA256 string `json:"sha256"`
}

func refOf(raw []byte) chunkRef {
	sum := sha256.Sum256(raw)
	return chunkRef{int64(len(raw)), hex.EncodeToString(sum[:])}
}

// manifest reads a checkpoint's list of chunks.
func (p *Place) manifest(ctx context.Context, c CheckpointRef) (*manifest, error) {
	name := c.manifestName(p.id)
	data, err := p.get(ctx, name)
	if err != nil {
		return nil, err
	}
	raw, err := c.label(p.id, kindManifest, 0).open(data)
	if err != nil {
		return nil, fmt.Errorf("%s in %v: %w", name, p.store, err)
	}
	var m manifest
	outOfRange := func(r chunkRef) bool { return r.Bytes < 0 || r.Bytes > zkroot.MaxRaw }
	if err := json.Unmarshal(raw, &m); err != nil || m.Segment != c.Segment || m.Revision != c.Revision || len(m.Chunks) == 0 ||
		slices.ContainsFunc(m.Chunks, outOfRange) {
		return nil, fmt.Errorf("%s in %v: %w: it is no list of a checkpoint's chunks", name, p.store, ErrCorrupt)
	}
	return &m, nil
}

// chunk reads a chunk of a checkpoint.
func (p *Place) chunk(ctx context.Context, c CheckpointRef, number int64, want chunkRef) ([]byte, error) {
	name := c.chunkName(p.id, number)
	data, err := p.get(ctx, name)
	if errors.Is(err, ErrNotFound) {
		return nil, fmt.Errorf("%w: %s is missing in %v: the checkpoint cannot be used", ErrCorrupt, name, p.store)
	}
	if err != nil {
		return nil, err
	}
	raw, err := c.label(p.id, kindChunk, number).open(data)
	if err == nil && refOf(raw) != want {
		err = fmt.Errorf("%w: it is not the chunk that the manifest names", ErrCorrupt)
	}
	if err != nil {
		return nil, fmt.Errorf("%s in %v: %w", name, p.store, err)
	}
	return raw, nil
}

// checkpoint is one whose chunks are read when they are asked for.
func (p *Place) checkpoint(ctx context.Context, c CheckpointRef) (*revision.Checkpoint, error) {
	m, err := p.manifest(ctx, c)
	if err != nil {
		return nil, err
	}
	meta, err := p.chunk(ctx, c, 0, m.Chunks[0])
	if err != nil {
		return nil, err
	}
	out := &revision.Checkpoint{Segment: c.Segment, Meta: meta}
	for _, ref := range m.Chunks[1:] {
		out.RawBytes += ref.Bytes
	}
	out.Chunks = func(ctx context.Context) iter.Seq2[[]byte, error] {
		return func(yield func([]byte, error) bool) {
			for i, ref := range m.Chunks[1:] {
				raw, err := p.chunk(ctx, c, int64(i+1), ref)
				if !yield(raw, err) || err != nil {
					return
				}
			}
		}
	}
	return out, nil
}

// writeCheckpoint writes a root's checkpoint, the manifest last. What an interrupted
// writing left is taken over.
func (a *Archiver) writeCheckpoint(ctx context.Context, r zkroot.Reader, ref *zkroot.CheckpointRef, written int64) error {
	stored, err := r.Manifest(ctx, ref)
	if err != nil {
		return err
	}
	c := CheckpointRef{Segment: ref.Segment, Revision: ref.Revision, written: written}
	there, err := a.chunksOf(ctx, c)
	if err != nil {
		return err
	}
	m := manifest{Segment: c.Segment, Revision: c.Revision}
	for i, chunk := range append([]*recordpb.StoredChunk{stored.Meta}, stored.Chunks...) {
		raw, err := r.Chunk(ctx, chunk)
		if err != nil {
			return err
		}
		m.Chunks = append(m.Chunks, refOf(raw))
		if name := c.chunkName(a.place.id, int64(i)); !there[name] {
			if err := a.put(ctx, name, c.label(a.place.id, kindChunk, int64(i)).seal(raw)); err != nil {
				return err
			}
		}
	}
	raw, err := json.Marshal(m)
	if err != nil {
		return err
	}
	// Another archiver that takes it for one that was given up may be removing it.
	if err := a.whole(ctx, c, len(m.Chunks)); err != nil {
		return err
	}
	if err := a.put(ctx, c.manifestName(a.place.id), c.label(a.place.id, kindManifest, 0).seal(raw)); err != nil {
		return err
	}
	if err := a.whole(ctx, c, len(m.Chunks)); err != nil {
		return errors.Join(err, a.cfg.Store.Remove(ctx, c.manifestName(a.place.id)))
	}
	a.place.checkpoints = append(a.place.checkpoints, c)
	return nil
}

// whole is errAgain unless all chunks of a checkpoint are there.
func (a *Archiver) whole(ctx context.Context, c CheckpointRef, chunks int) error {
	there, err := a.chunksOf(ctx, c)
	if err != nil {
		return err
	}
	for i := range chunks {
		if name := c.chunkName(a.place.id, int64(i)); !there[name] {
			return fmt.Errorf("%w: %s was removed", errAgain, name)
		}
	}
	return nil
}

// chunksOf lists the objects of a checkpoint.
func (a *Archiver) chunksOf(ctx context.Context, c CheckpointRef) (map[string]bool, error) {
	there := map[string]bool{}
	for object, err := range a.cfg.Store.List(ctx, c.folder(a.place.id)+"/") {
		if err != nil {
			return nil, err
		}
		there[object.Name] = true
	}
	return there, nil
}
