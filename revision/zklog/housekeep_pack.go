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
		case errors.Is(err, revision.ErrRefused):
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

func (k *housekeeping) sweepParts(ref zkroot.SegmentRef) error {
	names, err := k.conn.Children(k.ctx, k.layout.Stage(ref.Name))
	if errors.Is(err, zk.ErrNoNode) || err == nil && len(names) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	named := map[string]bool{}
	err = k.on(k.conn).EachSlot(k.ctx, ref, func(data []byte) error {
		if nonce, staged := zkroot.StagedNonce(data); staged {
			named[nonce.String()] = true
		}
		return nil
	})
	if err != nil {
		return err
	}
	return k.removeChildren(k.layout.Stage(ref.Name), func(name string) bool {
		nonce, _, _ := strings.Cut(name, "-")
		return !named[nonce]
	})
}

// packWorth is how many slots a run needs to be worth a pack.
const packWorth = 2

// packSegment packs what can be packed of a sealed segment. Two may do it at
// once: the one whose multi comes second fails, and goes on elsewhere.
func (k *housekeeping) packSegment(ref zkroot.SegmentRef) error {
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
	run := zkroot.PackRun{}
	for batch := range slices.Chunk(slots, packReads) {
		datas, err := k.readSlots(ref, batch)
		if err != nil {
			return err
		}
		for i, slot := range batch {
			if run.Ends(slot, len(datas[i])) {
				if err := k.writePack(ref, int64(stat.Version), run); err != nil {
					return err
				}
				run = zkroot.PackRun{}
			}
			run.Add(slot, datas[i])
		}
	}
	return k.writePack(ref, int64(stat.Version), run)
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
