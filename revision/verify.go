package revision

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/go-zookeeper/zk"
)

// Finding is something in a root that cannot be trusted, or does not belong
// there.
type Finding struct {
	// Path is the znode's.
	Path string
	// Err wraps ErrCorrupt, ErrNewerFormat, ErrForeignRoot or ErrForbidden.
	Err error
}

// Verified is what Verify saw.
type Verified struct {
	ClusterID uint64
	Segments  int
	Slots     int64
	Requests  int64
	// Bytes is what the slots and their parts hold.
	Bytes int64
	// CheckpointSegment is the last one that the newest checkpoint covers, 0
	// without a checkpoint; CheckpointBytes is what its chunks hold.
	CheckpointSegment int64
	CheckpointBytes   int64
	// Orphans counts staged parts that no slot names: left by appends that
	// never happened, and harmless.
	Orphans int
	// Halt is nil if the root may be served; see trust.go.
	Halt     *Halt
	Findings []Finding
}

// Verify reads everything under a root, from the format to the last slot as of
// its beginning, and judges it, without stopping at the first finding. It
// changes nothing. cfg.ClusterID, if it is not 0, must be the root's. An error
// says that there was nothing to judge (ErrNoData, ErrWrongCluster), or that it
// could not finish, for want of a connection.
func Verify(ctx context.Context, cfg Config) (*Verified, error) {
	conn, err := dialRoot(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	v := &verifier{ctx: ctx, conn: conn, layout: layout{cfg.Root}, cluster: cfg.ClusterID, out: &Verified{}}
	if err := v.run(); err != nil {
		return nil, err
	}
	return v.out, nil
}

type verifier struct {
	ctx    context.Context
	conn   Conn
	layout layout
	// cluster is the only one to look at; 0 for any.
	cluster uint64
	out     *Verified
	log     *Log // for its decoders only; it has no session
	// covered is the last segment that may be gone, or going.
	covered int64
}

func (v *verifier) run() error {
	v.log = &Log{layout: v.layout, tail: newTail()}
	if _, err := v.conn.Multi(v.ctx, checkOp(v.layout.format(), anyVersion)); err != nil && !errors.Is(err, zk.ErrNoNode) {
		return v.unless(v.layout.format(), err)
	}
	id, err := readFormat(v.ctx, v.conn, v.layout)
	if errors.Is(err, zk.ErrNoNode) {
		if err = missingFormat(v.ctx, v.conn, v.layout); errors.Is(err, ErrNoData) {
			return err
		}
	}
	if err != nil {
		return v.unless(v.layout.format(), err)
	}
	if err := (&Config{Root: v.layout.root, ClusterID: v.cluster}).mayServeCluster(id); err != nil {
		return err
	}
	v.out.ClusterID = id
	trust, _, err := readTrust(v.ctx, v.conn, v.layout)
	if err := v.unless(v.layout.trust(), err); err != nil {
		return err
	}
	v.out.Halt = trust.Halt
	open, err := v.log.readOpen(v.ctx, v.conn)
	if err != nil {
		return v.unless(v.layout.log(), err)
	}
	if err := v.checkpoints(); err != nil {
		return err
	}
	segments, err := v.segments(open)
	if err != nil {
		return v.unless(v.layout.log(), err)
	}
	for _, s := range segments {
		before := len(v.out.Findings)
		if err := v.segment(s, s.number == open.number); err != nil {
			return err
		}
		if len(v.out.Findings) == before {
			continue
		}
		if err := v.learnCovered(); err != nil {
			return err
		}
		if s.number <= v.covered {
			// A keeper has removed it meanwhile.
			v.out.Findings = v.out.Findings[:before]
		}
	}
	return nil
}

// learnCovered notes what may be gone by now.
func (v *verifier) learnCovered() error {
	record, _, err := readCheckpointRecord(v.ctx, v.conn, v.layout)
	if err != nil {
		return v.unless(v.layout.checkpoint(), err)
	}
	if record.Previous != nil {
		v.covered = max(v.covered, record.Previous.Segment)
	}
	return nil
}

// unless notes err as a finding about a znode, if it is about what the znode
// holds, and else returns it: then there is no use in going on.
func (v *verifier) unless(path string, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, zk.ErrNoNode) {
		err = fmt.Errorf("%w: it is missing", ErrCorrupt)
	}
	if !final(err) {
		return err
	}
	v.found(path, err)
	return nil
}

func (v *verifier) found(path string, err error) {
	v.out.Findings = append(v.out.Findings, Finding{path, err})
}

// segments lists the segments in order and looks for gaps and strangers.
func (v *verifier) segments(open segmentRef) ([]segmentRef, error) {
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

func (v *verifier) segment(ref segmentRef, open bool) error {
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
		if err != nil || v.layout.slot(ref.name, slot) != path+"/"+name || slot >= total && !open {
			v.found(path+"/"+name, fmt.Errorf("%w: not a slot of zkine's", ErrForeignRoot))
		}
	}
	parts, err := v.parts(ref)
	if err != nil {
		return err
	}
	packed, err := v.packs(ref, parts)
	if err != nil {
		return err
	}
	findings := len(v.out.Findings)
	for slot := range total {
		if _, found := findPack(packed, slot); found {
			continue
		}
		if err := v.slot(ref, slot, parts); err != nil {
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

// packs judges a segment's packs and lists them.
func (v *verifier) packs(ref segmentRef, parts map[string]bool) ([]packRef, error) {
	packs, err := listPacks(v.ctx, v.conn, v.layout, ref.name)
	if err != nil {
		return nil, v.unless(v.layout.pack(ref.name), err)
	}
	for _, p := range packs {
		entries, err := v.log.readPack(v.ctx, v.conn, ref, p)
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

// parts lists the staged parts of a segment, by name.
func (v *verifier) parts(ref segmentRef) (map[string]bool, error) {
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

func (v *verifier) slot(ref segmentRef, slot int64, parts map[string]bool) error {
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
	e, err := v.log.decodeSlot(v.ctx, v.conn, ref, Seq{ref.number, slot}, data)
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
	packs, err := listPacks(v.ctx, v.conn, v.layout, ref.name)
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
