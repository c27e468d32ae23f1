package revision

import (
	"context"
	"errors"
	"strings"

	"github.com/go-zookeeper/zk"
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
	names, err := k.conn.Children(k.ctx, k.l.layout.stage(ref.name))
	if errors.Is(err, zk.ErrNoNode) || err == nil && len(names) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	named := map[string]bool{}
	err = eachSlot(k.ctx, k.conn, k.l.layout, ref, func(data []byte) error {
		if e, err := openEnvelope(data); err == nil && e.staged() {
			named[e.nonce.String()] = true
		}
		return nil
	})
	if err != nil {
		return err
	}
	return k.removeChildren(k.l.layout.stage(ref.name), func(name string) bool {
		nonce, _, _ := strings.Cut(name, "-")
		return !named[nonce]
	})
}

// eachSlot calls f with the data of every slot of a sealed segment that is
// there, packed or not, in no order.
func eachSlot(ctx context.Context, conn Conn, l layout, ref segmentRef, f func(data []byte) error) error {
	packs, err := listPacks(ctx, conn, l, ref.name)
	if err != nil {
		return err
	}
	for _, p := range packs {
		data, _, err := conn.Get(ctx, l.packed(ref.name, p.first, p.last))
		if err != nil {
			return err
		}
		slots, err := decodePack(data, int(p.last-p.first+1))
		if err != nil {
			return err
		}
		for _, s := range slots {
			if err := f(s); err != nil {
				return err
			}
		}
	}
	names, err := conn.Children(ctx, l.segment(ref.name))
	if err != nil {
		return err
	}
	for _, name := range names {
		data, _, err := conn.Get(ctx, l.segment(ref.name)+"/"+name)
		if err != nil {
			return err
		}
		if err := f(data); err != nil {
			return err
		}
	}
	return nil
}
