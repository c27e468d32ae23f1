package zklog

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/go-zookeeper/zk"
	"golang.org/x/sync/errgroup"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zkroot"
)

// packLog packs the sealed segments, and sweeps parts that no slot of theirs
// names: nothing can refer to them any more. What is refused, or cannot be
// trusted, is left as it is, and does not keep the rest from being done.
func (k *housekeeping) packLog() error {
	refs, err := k.sealed()
	if err != nil {
		return err
	}
	var left error
	for _, ref := range refs {
		staged, err := k.stagedNonces(ref)
		if err != nil {
			return err
		}
		err = k.packSegment(ref, staged)
		switch {
		case errors.Is(err, revision.ErrRefused), errors.Is(err, revision.ErrCorrupt):
			left = err // to remove parts may be permitted all the same
		case err != nil && !errors.Is(err, zk.ErrNoNode) && !errors.Is(err, zk.ErrNodeExists):
			return err // else another keeper was faster
		}
		err = k.sweepParts(ref, staged)
		switch {
		case errors.Is(err, revision.ErrCorrupt):
			left = err
		case err != nil:
			return err
		}
	}
	return left
}

// stagedNonces lists the nonces of a sealed segment whose parts are there. It
// comes before the slots are read: those that name parts name these.
func (k *housekeeping) stagedNonces(ref zkroot.SegmentRef) (map[string]bool, error) {
	names, err := k.conn.Children(k.ctx, k.layout.Stage(ref.Name))
	if err != nil && !errors.Is(err, zk.ErrNoNode) {
		return nil, err
	}
	staged := make(map[string]bool, len(names))
	for _, name := range names {
		staged[nonceOf(name)] = true
	}
	return staged, nil
}

// nonceOf is the nonce in the name of a part.
func nonceOf(part string) string {
	nonce, _, _ := strings.Cut(part, "-")
	return nonce
}

// namedBy returns the nonce of a slot's parts; "" if it has none. ErrCorrupt says
// that the slot is not to be acted on: a server may have a wrong copy of what the
// others hold, and must not make theirs be removed. Of a slot that has parts only
// the nonce is judged, since the checksum is over the parts, too.
func namedBy(data []byte, staged map[string]bool) (string, error) {
	nonce, inParts, err := zkroot.StagedNonce(data)
	if err != nil || !inParts {
		return "", err
	}
	if !staged[nonce.String()] {
		return "", fmt.Errorf("%w: its parts, %v, are missing", revision.ErrCorrupt, nonce)
	}
	return nonce.String(), nil
}

func (k *housekeeping) sweepParts(ref zkroot.SegmentRef, staged map[string]bool) error {
	if len(staged) == 0 {
		return nil
	}
	named := map[string]bool{}
	err := k.on(k.conn).EachSlot(k.ctx, ref, func(data []byte) error {
		nonce, err := namedBy(data, staged)
		if err != nil {
			return fmt.Errorf("a slot of %s: %w; see docs/operations.md, \"Corrupt\"", k.layout.Segment(ref.Name), err)
		}
		named[nonce] = true
		return nil
	})
	if err != nil {
		return err
	}
	return k.removeChildren(k.layout.Stage(ref.Name), func(name string) bool { return !named[nonceOf(name)] })
}

// packWorth is how many slots a run needs to be worth a pack.
const packWorth = 2

// packSegment packs what can be packed of a sealed segment. Two may do it at
// once: the one whose multi comes second fails, and goes on elsewhere. A slot
// that cannot be trusted stays, and is told of when the others are packed:
// ErrCorrupt.
func (k *housekeeping) packSegment(ref zkroot.SegmentRef, staged map[string]bool) error {
	_, stat, err := k.conn.Get(k.ctx, k.layout.Segment(ref.Name))
	if err != nil {
		return err
	}
	slots, err := k.listSlots(ref)
	if err != nil || len(slots) < packWorth {
		return err
	}
	_, err = k.conn.Multi(k.ctx, zkclient.CreateOp(k.layout.Pack(ref.Name), nil))
	if err != nil && !errors.Is(err, zk.ErrNodeExists) {
		return err
	}
	var untrusted error
	run := zkroot.PackRun{}
	for batch := range slices.Chunk(slots, packReads) {
		datas, err := k.readSlots(ref, batch)
		if err != nil {
			return err
		}
		for i, slot := range batch {
			if _, err := namedBy(datas[i], staged); errors.Is(err, revision.ErrCorrupt) {
				untrusted = fmt.Errorf("slot %s: %w; see docs/operations.md, \"Corrupt\"", k.layout.Slot(ref.Name, slot), err)
				continue
			}
			if run.Ends(slot, len(datas[i])) {
				if err := k.writePack(ref, int64(stat.Version), run); err != nil {
					return err
				}
				run = zkroot.PackRun{}
			}
			run.Add(slot, datas[i])
		}
	}
	if err := k.writePack(ref, int64(stat.Version), run); err != nil {
		return err
	}
	return untrusted
}

// packReads is how many slots are read at once: one after the other they would
// come more slowly than busy clients write new ones.
const packReads = 32

func (k *housekeeping) readSlots(ref zkroot.SegmentRef, slots []int64) ([][]byte, error) {
	datas := make([][]byte, len(slots))
	group, ctx := errgroup.WithContext(k.ctx)
	for i, slot := range slots {
		group.Go(func() (err error) {
			datas[i], _, err = k.conn.Get(ctx, k.layout.Slot(ref.Name, slot))
			return err
		})
	}
	return datas, group.Wait()
}

// listSlots lists the slots of a segment that are znodes of their own.
func (k *housekeeping) listSlots(ref zkroot.SegmentRef) ([]int64, error) {
	path := k.layout.Segment(ref.Name)
	names, err := k.conn.Children(k.ctx, path)
	if err != nil {
		return nil, err
	}
	slots := make([]int64, 0, len(names))
	for _, name := range names {
		slot, err := zkroot.SlotNumber(name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w; remove what does not belong there", path, err)
		}
		slots = append(slots, slot)
	}
	sort.Slice(slots, func(i, j int) bool { return slots[i] < slots[j] })
	return slots, nil
}

// writePack replaces a run of slots by a pack; by two, if one is too large.
func (k *housekeeping) writePack(ref zkroot.SegmentRef, version int64, run zkroot.PackRun) error {
	if run.Count() < packWorth {
		return nil
	}
	data := run.Encode()
	deletes := run.Count() * (len(k.layout.Slot(ref.Name, 0)) + 32)
	if len(data)+deletes > k.request.limit() {
		first, second := run.Halves()
		if err := k.writePack(ref, version, first); err != nil {
			return err
		}
		return k.writePack(ref, version, second)
	}
	pack := run.Ref()
	path := k.layout.Packed(ref.Name, pack)
	ops := []any{zkclient.CheckOp(k.layout.Segment(ref.Name), version), zkclient.CreateOp(path, data)}
	for slot := pack.First; slot <= pack.Last; slot++ {
		ops = append(ops, &zk.DeleteRequest{Path: k.layout.Slot(ref.Name, slot), Version: 0})
	}
	if _, err := k.conn.Multi(k.ctx, ops...); err != nil {
		return fmt.Errorf("pack %s: %w", path, err)
	}
	return k.pace(k.ctx)
}
