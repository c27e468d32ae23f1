package revision

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"

	"github.com/go-zookeeper/zk"

	"github.com/zkine/zkine/revision/recordpb"
)

// Housekeep packs sealed segments, and removes what no member can need any
// more: the log that the previous checkpoint covers, if trim says that members
// agree about the state; attempts and chunks that no checkpoint names; staged
// parts that no slot names. Whoever is the keeper calls it now and then; two at
// once are harmless, since every removal carries a check of the checkpoint
// record, and an end at any step leaves something that the next call finishes.
// pace is called after each write, and may wait.
func (l *Log) Housekeep(ctx context.Context, trim bool, pace func(context.Context) error) error {
	conn, err := l.dialBulk(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	for range patientTries {
		k := &housekeeping{link: l.link, checkpoints: &l.checkpoints, ctx: ctx, conn: conn, pace: pace}
		if err = k.run(trim); !overtaken(err) {
			break
		}
	}
	return err
}

func (k *housekeeping) run(trim bool) (err error) {
	if k.record, k.version, err = k.on(k.conn).checkpoints(k.ctx); err != nil {
		return err
	}
	k.checkpoints.note(k.record)
	if trim {
		if err := k.trimLog(); err != nil {
			return fmt.Errorf("trim the log: %w", err)
		}
		if err := k.sweepAttempts(); err != nil {
			return fmt.Errorf("sweep checkpoints: %w", err)
		}
	}
	return k.packLog()
}

type housekeeping struct {
	*link
	checkpoints *checkpoints
	ctx         context.Context
	conn        Conn
	pace        func(context.Context) error
	record      checkpointRecord
	version     int64 // of <root>/checkpoint, which every removal checks
}

// sealed lists the sealed segments in order.
func (k *housekeeping) sealed() ([]segmentRef, error) {
	open, err := k.readOpen(k.ctx, k.conn)
	if err != nil {
		return nil, err
	}
	refs, err := k.on(k.conn).segments(k.ctx)
	if err != nil {
		return nil, err
	}
	for i, ref := range refs {
		if ref.number >= open.number {
			return refs[:i], nil
		}
	}
	return refs, nil
}

// trimLog removes the segments that the previous checkpoint covers: the latest
// one, too, but a member that starts may just be reading the previous one and
// the log after it.
func (k *housekeeping) trimLog() error {
	if k.record.Previous == nil {
		return nil
	}
	refs, err := k.sealed()
	if err != nil {
		return err
	}
	last, err := k.lastFilled(refs)
	if err != nil {
		return err
	}
	for _, ref := range refs {
		if ref.number > k.record.Previous.Segment || ref.number >= last {
			return nil
		}
		if err := k.removeSegment(ref); err != nil {
			return err
		}
	}
	return nil
}

// lastFilled is the newest segment that has slots, as far as it is the open one
// or among these sealed ones; 0 if none has. It stays even if checkpoints cover
// it: while the segments after it are empty, a barrier names its last slot.
func (k *housekeeping) lastFilled(refs []segmentRef) (int64, error) {
	open, err := k.readOpen(k.ctx, k.conn)
	if err != nil {
		return 0, err
	}
	for _, ref := range slices.Backward(append(slices.Clip(refs), open)) {
		_, stat, err := k.conn.Get(k.ctx, k.layout.segment(ref.name))
		switch {
		case errors.Is(err, zk.ErrNoNode): // another keeper's work
		case err != nil:
			return 0, err
		case stat.Version > 0:
			return ref.number, nil
		}
	}
	return 0, nil
}

// removeSegment removes a segment's slots, packs and parts, then the segment:
// as long as anything of it is there, its znode is too.
func (k *housekeeping) removeSegment(ref segmentRef) error {
	for _, folder := range []string{k.layout.segment(ref.name), k.layout.pack(ref.name), k.layout.stage(ref.name)} {
		if err := k.removeChildren(folder, func(string) bool { return true }); err != nil {
			return err
		}
	}
	for _, folder := range []string{k.layout.pack(ref.name), k.layout.stage(ref.name), k.layout.segment(ref.name)} {
		if err := k.remove(folder); err != nil && !errors.Is(err, zk.ErrNoNode) {
			return err
		}
	}
	return nil
}

// removeBatch is how many znodes one multi removes.
const removeBatch = 500

// removeChildren removes the children of a folder that which names. A folder
// that is not there has none.
func (k *housekeeping) removeChildren(folder string, which func(name string) bool) error {
	names, err := k.conn.Children(k.ctx, folder)
	if errors.Is(err, zk.ErrNoNode) {
		return nil
	}
	if err != nil {
		return err
	}
	var batch []string
	for _, name := range names {
		if !which(name) {
			continue
		}
		if batch = append(batch, path.Join(folder, name)); len(batch) == removeBatch {
			if err := k.remove(batch...); err != nil {
				return err
			}
			batch = nil
		}
	}
	if len(batch) == 0 {
		return nil
	}
	return k.remove(batch...)
}

func (k *housekeeping) remove(paths ...string) error {
	ops := []any{checkOp(k.layout.checkpoint(), k.version)}
	for _, p := range paths {
		ops = append(ops, &zk.DeleteRequest{Path: p, Version: anyVersion})
	}
	if _, err := k.conn.Multi(k.ctx, ops...); err != nil {
		return fmt.Errorf("remove %s: %w", paths[0], err)
	}
	return k.pace(k.ctx)
}

// sweepAttempts removes the chunks that neither the latest nor the previous
// checkpoint names, in attempts from before the latest switch: such an attempt
// checks the record's version with every write, so nothing is added to it.
func (k *housekeeping) sweepAttempts() error {
	if k.record.Latest == nil {
		return nil
	}
	kept, err := k.keptChunks()
	if err != nil {
		return err
	}
	attempts, err := k.conn.Children(k.ctx, k.layout.checkpoint())
	if err != nil {
		return err
	}
	for _, attempt := range attempts {
		folder := k.layout.attempt(attempt)
		_, stat, err := k.conn.Get(k.ctx, folder)
		if err != nil {
			return err
		}
		_, recordStat, err := k.conn.Get(k.ctx, k.layout.checkpoint())
		if err != nil {
			return err
		}
		if stat.Czxid > recordStat.Mzxid {
			continue // may still win
		}
		if err := k.removeChildren(folder, func(name string) bool { return !kept[folder+"/"+name] }); err != nil {
			return err
		}
		if err := k.remove(folder); err != nil && !errors.Is(err, zk.ErrNotEmpty) && !errors.Is(err, zk.ErrNoNode) {
			return err
		}
	}
	return nil
}

// keptChunks is every znode below <root>/checkpoint that a checkpoint names.
func (k *housekeeping) keptChunks() (map[string]bool, error) {
	kept := map[string]bool{}
	for _, ref := range []*checkpointRef{k.record.Latest, k.record.Previous} {
		if ref == nil {
			continue
		}
		for part := range ref.Manifest.Parts {
			kept[k.layout.manifest(ref.Attempt, part)] = true
		}
		manifest, err := k.on(k.conn).manifest(k.ctx, ref)
		if err != nil {
			return nil, err
		}
		for _, c := range append([]*recordpb.StoredChunk{manifest.Meta}, manifest.Chunks...) {
			for part := range int(c.Parts) {
				kept[k.layout.chunk(c.Attempt, int(c.Number), part)] = true
			}
		}
	}
	return kept, nil
}
