package zklog

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"

	"github.com/go-zookeeper/zk"

	"github.com/zkine/zkine/revision/recordpb"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zkroot"
)

// Pack packs sealed segments, and removes staged parts that no slot names. The
// keeper calls it now and then. Two calls at once are harmless, since every
// removal carries a check of the checkpoint record, and an end at any step
// leaves something that the next call finishes. pace is called after each write,
// and may wait. Errors: ErrRefused, ErrQuota; after others it may be tried again.
func (l *Log) Pack(ctx context.Context, pace func(context.Context) error) error {
	return l.keepHouse(ctx, pace, (*housekeeping).packLog)
}

// TrimAndPack removes what no member can need any more: the log that the
// previous checkpoint covers, and attempts and chunks that no checkpoint names.
// Members must agree about the state at the newest checkpoint. Then it does what
// Pack does, under the same rules.
func (l *Log) TrimAndPack(ctx context.Context, pace func(context.Context) error) error {
	return l.keepHouse(ctx, pace, (*housekeeping).trimAndPack)
}

// keepHouse does work on a session of its own, from the start if another keeper
// was faster.
func (l *Log) keepHouse(ctx context.Context, pace func(context.Context) error, work func(*housekeeping) error) error {
	conn, err := l.dialBulk(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	for range patientTries {
		k := &housekeeping{link: l.link, checkpoints: &l.checkpoints, ctx: ctx, conn: conn, pace: pace}
		if err = k.run(work); !overtaken(err) {
			break
		}
	}
	return err
}

// run reads what the checkpoints are, and does the work.
func (k *housekeeping) run(work func(*housekeeping) error) (err error) {
	if k.record, k.version, err = k.on(k.conn).Checkpoints(k.ctx); err != nil {
		return err
	}
	k.checkpoints.note(k.record)
	return work(k)
}

func (k *housekeeping) trimAndPack() error {
	if err := k.trimLog(); err != nil {
		return fmt.Errorf("trim the log: %w", err)
	}
	if err := k.sweepAttempts(); err != nil {
		return fmt.Errorf("sweep checkpoints: %w", err)
	}
	return k.packLog()
}

// housekeeping is a Pack or a TrimAndPack under way.
type housekeeping struct {
	*link
	checkpoints *checkpoints
	ctx         context.Context
	conn        zkclient.Conn
	pace        func(context.Context) error
	record      zkroot.CheckpointRecord
	version     int64 // of <root>/checkpoint, which every removal checks
}

// sealed lists the sealed segments in order.
func (k *housekeeping) sealed() ([]zkroot.SegmentRef, error) {
	open, err := k.readOpen(k.ctx, k.conn)
	if err != nil {
		return nil, err
	}
	refs, err := k.on(k.conn).Segments(k.ctx)
	if err != nil {
		return nil, err
	}
	for i, ref := range refs {
		if ref.Number >= open.Number {
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
		if ref.Number > k.record.Previous.Segment || ref.Number >= last {
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
func (k *housekeeping) lastFilled(refs []zkroot.SegmentRef) (int64, error) {
	open, err := k.readOpen(k.ctx, k.conn)
	if err != nil {
		return 0, err
	}
	for _, ref := range slices.Backward(append(slices.Clip(refs), open)) {
		_, stat, err := k.conn.Get(k.ctx, k.layout.Segment(ref.Name))
		switch {
		case errors.Is(err, zk.ErrNoNode): // another keeper's work
		case err != nil:
			return 0, err
		case stat.Version > 0:
			return ref.Number, nil
		}
	}
	return 0, nil
}

// removeSegment removes a segment's slots, packs and parts, then the segment:
// as long as anything of it is there, its znode is too.
func (k *housekeeping) removeSegment(ref zkroot.SegmentRef) error {
	for _, folder := range []string{k.layout.Segment(ref.Name), k.layout.Pack(ref.Name), k.layout.Stage(ref.Name)} {
		if err := k.removeChildren(folder, func(string) bool { return true }); err != nil {
			return err
		}
	}
	for _, folder := range []string{k.layout.Pack(ref.Name), k.layout.Stage(ref.Name), k.layout.Segment(ref.Name)} {
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
	ops := []any{zkclient.CheckOp(k.layout.Checkpoint(), k.version)}
	for _, p := range paths {
		ops = append(ops, &zk.DeleteRequest{Path: p, Version: zkclient.AnyVersion})
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
	attempts, err := k.conn.Children(k.ctx, k.layout.Checkpoint())
	if err != nil {
		return err
	}
	for _, attempt := range attempts {
		folder := k.layout.Attempt(attempt)
		_, stat, err := k.conn.Get(k.ctx, folder)
		if err != nil {
			return err
		}
		_, recordStat, err := k.conn.Get(k.ctx, k.layout.Checkpoint())
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
	for _, ref := range []*zkroot.CheckpointRef{k.record.Latest, k.record.Previous} {
		if ref == nil {
			continue
		}
		for part := range ref.Manifest.Parts {
			kept[k.layout.Manifest(ref.Attempt, part)] = true
		}
		manifest, err := k.on(k.conn).Manifest(k.ctx, ref)
		if err != nil {
			return nil, err
		}
		for _, c := range append([]*recordpb.StoredChunk{manifest.Meta}, manifest.Chunks...) {
			for part := range int(c.Parts) {
				kept[k.layout.Chunk(c.Attempt, int(c.Number), part)] = true
			}
		}
	}
	return kept, nil
}
