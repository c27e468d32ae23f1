package zkroot

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/go-zookeeper/zk"

	"github.com/zkine/zkine/revision"
)

// listed lists the segments in order and looks for gaps and strangers.
func (v *verifier) listed(open SegmentRef) ([]SegmentRef, error) {
	names, err := v.conn.Children(v.ctx, v.layout.Log())
	if err != nil {
		return nil, err
	}
	// What was removed before they were listed is covered by now.
	if err := v.learnCovered(); err != nil {
		return nil, err
	}
	var refs []SegmentRef
	for _, name := range names {
		ref, err := ParseSegmentRef(name)
		if err != nil {
			v.found(v.layout.Segment(name), err)
			continue
		}
		refs = append(refs, ref)
	}
	sort.Slice(refs, func(i, j int) bool { return refs[i].Number < refs[j].Number })
	for i, ref := range refs {
		expected := v.covered + 1
		if i > 0 {
			expected = refs[i-1].Number + 1
		}
		if ref.Number != expected && (i > 0 || ref.Number > expected) {
			v.found(v.layout.Segment(ref.Name), fmt.Errorf("%w: segment %d was expected here", revision.ErrCorrupt, expected))
			break
		}
	}
	if !slices.Contains(refs, open) {
		v.found(v.layout.Segment(open.Name), fmt.Errorf("%w: the open segment is missing", revision.ErrCorrupt))
	}
	return refs, nil
}

// maxFindings is how many slots of a segment are named.
const maxFindings = 1000

func (v *verifier) judgeSegment(ref, open SegmentRef) error {
	path := v.layout.Segment(ref.Name)
	_, stat, err := v.conn.Get(v.ctx, path)
	if errors.Is(err, zk.ErrNoNode) {
		if moved, err := v.moved(ref, 0); err != nil || moved {
			return err
		}
	}
	if err != nil {
		return v.unless(path, err)
	}
	total := int64(stat.Version)
	v.out.Segments++
	if ref.Number <= v.covered {
		return nil // on its way out: what is left of it says nothing
	}
	names, err := v.conn.Children(v.ctx, path)
	if err != nil {
		return v.unless(path, err)
	}
	for _, name := range names {
		slot, err := SlotNumber(name)
		if err != nil || v.layout.Slot(ref.Name, slot) != path+"/"+name || slot >= total && ref.Number != open.Number {
			v.found(path+"/"+name, fmt.Errorf("%w: not a slot of zkine's", revision.ErrForeignRoot))
		}
	}
	parts, err := v.stagedParts(ref)
	if err != nil {
		return err
	}
	packed, err := v.judgePacks(ref, parts)
	if err != nil {
		return err
	}
	findings := len(v.out.Findings)
	for slot := range total {
		if _, found := FindPack(packed, slot); found {
			continue
		}
		if err := v.judgeSlot(ref, slot, parts); err != nil {
			return err
		}
		// The number of slots is the znode's word, which may be wrong itself.
		if len(v.out.Findings) > findings+maxFindings {
			v.found(path, fmt.Errorf("%w: the rest of its %d slots was not looked at", revision.ErrCorrupt, total))
			break
		}
	}
	v.out.Orphans += len(parts)
	return nil
}

// judgePacks judges a segment's packs and lists them.
func (v *verifier) judgePacks(ref SegmentRef, parts map[string]bool) ([]PackRef, error) {
	packs, err := v.Packs(v.ctx, ref.Name)
	if err != nil {
		return nil, v.unless(v.layout.Pack(ref.Name), err)
	}
	for _, p := range packs {
		entries, err := v.Pack(v.ctx, ref, p)
		if err != nil {
			if err := v.unless(v.layout.Packed(ref.Name, p), err); err != nil {
				return nil, err
			}
		}
		for _, e := range entries {
			v.count(e, parts)
		}
	}
	return packs, nil
}

// stagedParts lists the staged parts of a segment, by name.
func (v *verifier) stagedParts(ref SegmentRef) (map[string]bool, error) {
	names, err := v.conn.Children(v.ctx, v.layout.Stage(ref.Name))
	if err != nil {
		return nil, v.unless(v.layout.Stage(ref.Name), err)
	}
	parts := make(map[string]bool, len(names))
	for _, name := range names {
		parts[name] = true
	}
	return parts, nil
}

func (v *verifier) judgeSlot(ref SegmentRef, slot int64, parts map[string]bool) error {
	path := v.layout.Slot(ref.Name, slot)
	data, _, err := v.conn.Get(v.ctx, path)
	if errors.Is(err, zk.ErrNoNode) {
		if moved, err := v.moved(ref, slot); err != nil || moved {
			return err
		}
	}
	if err != nil {
		return v.unless(path, err)
	}
	e, err := v.decode(v.ctx, ref, revision.Seq{Segment: ref.Number, Slot: slot}, data)
	if err != nil {
		return v.unless(path, err)
	}
	v.count(e, parts)
	return nil
}

// moved says whether a slot was packed or trimmed since its segment was
// listed: a keeper may be at work.
func (v *verifier) moved(ref SegmentRef, slot int64) (bool, error) {
	if err := v.learnCovered(); err != nil || ref.Number <= v.covered {
		return err == nil, err
	}
	packs, err := v.Packs(v.ctx, ref.Name)
	if err != nil {
		return false, v.unless(v.layout.Pack(ref.Name), err)
	}
	_, packed := FindPack(packs, slot)
	return packed, nil
}

// count adds a sound slot up.
func (v *verifier) count(e *StoredSlot, parts map[string]bool) {
	for name := range parts {
		if strings.HasPrefix(name, e.Slot.Nonce.String()+"-") {
			delete(parts, name)
		}
	}
	v.out.Slots++
	v.out.Requests += int64(len(e.Slot.Requests))
	v.out.Bytes += int64(e.Size + e.Staged)
}
