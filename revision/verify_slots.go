package revision

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/go-zookeeper/zk"
)

// listed lists the segments in order and looks for gaps and strangers.
func (v *verifier) listed(open segmentRef) ([]segmentRef, error) {
	names, err := v.conn.Children(v.ctx, v.layout.log())
	if err != nil {
		return nil, err
	}
	// What was removed before they were listed is covered by now.
	if err := v.learnCovered(); err != nil {
		return nil, err
	}
	var refs []segmentRef
	for _, name := range names {
		ref, err := parseSegmentRef(name)
		if err != nil {
			v.found(v.layout.segment(name), err)
			continue
		}
		refs = append(refs, ref)
	}
	sort.Slice(refs, func(i, j int) bool { return refs[i].number < refs[j].number })
	for i, ref := range refs {
		expected := v.covered + 1
		if i > 0 {
			expected = refs[i-1].number + 1
		}
		if ref.number != expected && (i > 0 || ref.number > expected) {
			v.found(v.layout.segment(ref.name), fmt.Errorf("%w: segment %d was expected here", ErrCorrupt, expected))
			break
		}
	}
	if !slices.Contains(refs, open) {
		v.found(v.layout.segment(open.name), fmt.Errorf("%w: the open segment is missing", ErrCorrupt))
	}
	return refs, nil
}

// maxFindings is how many slots of a segment are named.
const maxFindings = 1000

func (v *verifier) judgeSegment(ref, open segmentRef) error {
	path := v.layout.segment(ref.name)
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
	if ref.number <= v.covered {
		return nil // on its way out: what is left of it says nothing
	}
	names, err := v.conn.Children(v.ctx, path)
	if err != nil {
		return v.unless(path, err)
	}
	for _, name := range names {
		slot, err := slotNumber(name)
		if err != nil || v.layout.slot(ref.name, slot) != path+"/"+name || slot >= total && ref.number != open.number {
			v.found(path+"/"+name, fmt.Errorf("%w: not a slot of zkine's", ErrForeignRoot))
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
		if _, found := findPack(packed, slot); found {
			continue
		}
		if err := v.judgeSlot(ref, slot, parts); err != nil {
			return err
		}
		// The number of slots is the znode's word, which may be wrong itself.
		if len(v.out.Findings) > findings+maxFindings {
			v.found(path, fmt.Errorf("%w: the rest of its %d slots was not looked at", ErrCorrupt, total))
			break
		}
	}
	v.out.Orphans += len(parts)
	return nil
}

// judgePacks judges a segment's packs and lists them.
func (v *verifier) judgePacks(ref segmentRef, parts map[string]bool) ([]packRef, error) {
	packs, err := v.packs(v.ctx, ref.name)
	if err != nil {
		return nil, v.unless(v.layout.pack(ref.name), err)
	}
	for _, p := range packs {
		entries, err := v.pack(v.ctx, ref, p)
		if err != nil {
			if err := v.unless(v.layout.packed(ref.name, p.first, p.last), err); err != nil {
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
func (v *verifier) stagedParts(ref segmentRef) (map[string]bool, error) {
	names, err := v.conn.Children(v.ctx, v.layout.stage(ref.name))
	if err != nil {
		return nil, v.unless(v.layout.stage(ref.name), err)
	}
	parts := make(map[string]bool, len(names))
	for _, name := range names {
		parts[name] = true
	}
	return parts, nil
}

func (v *verifier) judgeSlot(ref segmentRef, slot int64, parts map[string]bool) error {
	path := v.layout.slot(ref.name, slot)
	data, _, err := v.conn.Get(v.ctx, path)
	if errors.Is(err, zk.ErrNoNode) {
		if moved, err := v.moved(ref, slot); err != nil || moved {
			return err
		}
	}
	if err != nil {
		return v.unless(path, err)
	}
	e, err := v.decode(v.ctx, ref, Seq{ref.number, slot}, data)
	if err != nil {
		return v.unless(path, err)
	}
	v.count(e, parts)
	return nil
}

// moved says whether a slot was packed or trimmed since its segment was
// listed: a keeper may be at work.
func (v *verifier) moved(ref segmentRef, slot int64) (bool, error) {
	if err := v.learnCovered(); err != nil || ref.number <= v.covered {
		return err == nil, err
	}
	packs, err := v.packs(v.ctx, ref.name)
	if err != nil {
		return false, v.unless(v.layout.pack(ref.name), err)
	}
	_, packed := findPack(packs, slot)
	return packed, nil
}

// count adds a sound slot up.
func (v *verifier) count(e *entry, parts map[string]bool) {
	for name := range parts {
		if strings.HasPrefix(name, e.slot.Nonce.String()+"-") {
			delete(parts, name)
		}
	}
	v.out.Slots++
	v.out.Requests += int64(len(e.slot.Requests))
	v.out.Bytes += int64(e.size + e.staged)
}
