package revision

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/go-zookeeper/zk"
	"golang.org/x/sync/errgroup"
)

// packLog packs the sealed segments, and sweeps parts that no slot of theirs
// names: nothing can refer to them any more.
func (k *housekeeping) packLog() error {
	refs, err := k.sealed()
	if err != nil {
		return err
	}
	var refused error
	for _, ref := range refs {
		err := k.packSegment(ref)
		switch {
		case errors.Is(err, ErrRefused):
			refused = err // to remove parts may be permitted all the same
		case err != nil && !errors.Is(err, zk.ErrNoNode) && !errors.Is(err, zk.ErrNodeExists):
			return err // else another keeper was faster
		}
		if err := k.sweepParts(ref); err != nil {
			return err
		}
	}
	return refused
}

func (k *housekeeping) sweepParts(ref segmentRef) error {
	names, err := k.conn.Children(k.ctx, k.layout.stage(ref.name))
	if errors.Is(err, zk.ErrNoNode) || err == nil && len(names) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	named := map[string]bool{}
	err = k.on(k.conn).eachSlot(k.ctx, ref, func(data []byte) error {
		if e, err := openEnvelope(data); err == nil && e.staged() {
			named[e.nonce.String()] = true
		}
		return nil
	})
	if err != nil {
		return err
	}
	return k.removeChildren(k.layout.stage(ref.name), func(name string) bool {
		nonce, _, _ := strings.Cut(name, "-")
		return !named[nonce]
	})
}

// packWorth is how many slots a run needs to be worth a pack.
const packWorth = 2

// packSegment packs what can be packed of a sealed segment. Two may do it at
// once: the one whose multi comes second fails, and goes on elsewhere.
func (k *housekeeping) packSegment(ref segmentRef) error {
	_, stat, err := k.conn.Get(k.ctx, k.layout.segment(ref.name))
	if err != nil {
		return err
	}
	slots, err := k.listSlots(ref)
	if err != nil || len(slots) < packWorth {
		return err
	}
	_, err = k.conn.Multi(k.ctx, createOp(k.layout.pack(ref.name), nil))
	if err != nil && !errors.Is(err, zk.ErrNodeExists) {
		return err
	}
	run := packRun{}
	for batch := range slices.Chunk(slots, packReads) {
		datas, err := k.readSlots(ref, batch)
		if err != nil {
			return err
		}
		for i, slot := range batch {
			if run.ends(slot, len(datas[i])) {
				if err := k.writePack(ref, int64(stat.Version), run); err != nil {
					return err
				}
				run = packRun{}
			}
			run.add(slot, datas[i])
		}
	}
	return k.writePack(ref, int64(stat.Version), run)
}

// packReads is how many slots are read at once: one after the other they would
// come more slowly than busy clients write new ones.
const packReads = 32

func (k *housekeeping) readSlots(ref segmentRef, slots []int64) ([][]byte, error) {
	datas := make([][]byte, len(slots))
	group, ctx := errgroup.WithContext(k.ctx)
	for i, slot := range slots {
		group.Go(func() (err error) {
			datas[i], _, err = k.conn.Get(ctx, k.layout.slot(ref.name, slot))
			return err
		})
	}
	return datas, group.Wait()
}

// listSlots lists the slots of a segment that are znodes of their own.
func (k *housekeeping) listSlots(ref segmentRef) ([]int64, error) {
	path := k.layout.segment(ref.name)
	names, err := k.conn.Children(k.ctx, path)
	if err != nil {
		return nil, err
	}
	slots := make([]int64, 0, len(names))
	for _, name := range names {
		slot, err := slotNumber(name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w; remove what does not belong there", path, err)
		}
		slots = append(slots, slot)
	}
	sort.Slice(slots, func(i, j int) bool { return slots[i] < slots[j] })
	return slots, nil
}

// writePack replaces a run of slots by a pack; by two, if one is too large.
func (k *housekeeping) writePack(ref segmentRef, version int64, run packRun) error {
	if len(run.slots) < packWorth {
		return nil
	}
	data := encodePack(run.slots)
	deletes := len(run.slots) * (len(k.layout.slot(ref.name, 0)) + 32)
	if len(data)+deletes > k.request.limit() {
		half := len(run.slots) / 2
		if err := k.writePack(ref, version, packRun{first: run.first, slots: run.slots[:half]}); err != nil {
			return err
		}
		return k.writePack(ref, version, packRun{first: run.first + int64(half), slots: run.slots[half:]})
	}
	last := run.first + int64(len(run.slots)) - 1
	ops := []any{checkOp(k.layout.segment(ref.name), version), createOp(k.layout.packed(ref.name, run.first, last), data)}
	for i := range run.slots {
		ops = append(ops, &zk.DeleteRequest{Path: k.layout.slot(ref.name, run.first+int64(i)), Version: 0})
	}
	if _, err := k.conn.Multi(k.ctx, ops...); err != nil {
		return fmt.Errorf("pack %s: %w", k.layout.packed(ref.name, run.first, last), err)
	}
	return k.pace(k.ctx)
}
