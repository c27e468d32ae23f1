package state

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
)

// ErrBadCheckpoint says that bytes are no checkpoint that this package wrote.
var ErrBadCheckpoint = errors.New("state: not a checkpoint")

// Restore makes a machine from what CheckpointMeta and CheckpointKeys encoded.
// It stands after the slot that the meta names, and goes on as the one did
// that was encoded. It keeps none of the bytes. An error of chunks ends it and
// is returned; else errors are ErrBadCheckpoint.
func Restore(meta []byte, chunks iter.Seq2[[]byte, error]) (*Machine, error) {
	r := &restoring{m: New()}
	if err := r.all(meta, chunks); err != nil {
		return nil, err
	}
	return r.m, nil
}

// restoring is a Restore or a Judge under way.
type restoring struct {
	m     *Machine
	meta  *recordpb.CheckpointMeta
	floor revision.Rev
	// judging is nil for a Restore.
	judging *judging
	// newest is the last version read, of a key that may have more.
	newest *version
	// atFloor finds the versions of the floor's own revision that are kept.
	atFloor map[int32]*version
	// above holds the versions above the floor, in the order of keys. The number
	// of revisions in the meta is trusted once there is a version for each.
	above []*version
}

func (r *restoring) all(meta []byte, chunks iter.Seq2[[]byte, error]) error {
	r.meta = new(recordpb.CheckpointMeta)
	if err := proto.Unmarshal(meta, r.meta); err != nil {
		return fmt.Errorf("%w: %w", ErrBadCheckpoint, err)
	}
	r.floor = revision.Rev(r.meta.CompactRevision)
	if err := r.header(); err != nil {
		return err
	}
	for chunk, err := range chunks {
		if err != nil {
			return err
		}
		if err := r.keys(chunk); err != nil {
			return err
		}
	}
	r.finishKey()
	return r.changes()
}

func (r *restoring) header() error {
	m, meta := r.m, r.meta
	rev := revision.Rev(meta.Revision)
	if rev < 1 || rev > revision.MaxRev || r.floor < -1 || r.floor > rev {
		return fmt.Errorf("%w: revision %d, floor %d", ErrBadCheckpoint, rev, r.floor)
	}
	if raised := revision.Rev(meta.RaisedTo); raised != 0 {
		if raised < firstChange || raised > r.floor || meta.RaisedSub < 0 {
			return fmt.Errorf("%w: raised to revision %d, floor %d", ErrBadCheckpoint, raised, r.floor)
		}
		m.latestRaise = newRaise(raised, meta.RaisedSub)
	}
	m.rev, m.compactRev, m.swept = rev, r.floor, r.floor
	m.trimmed.Store(int64(r.floor))
	m.seq = revision.Seq{Segment: meta.Segment, Slot: meta.Slot}
	m.term, m.applied, m.nonces = meta.Term, meta.Applied, meta.Nonces
	m.alarms = alarmsOf(meta.Alarms)
	m.agreement.At = revision.Seq{Segment: meta.MarkSegment, Slot: meta.MarkSlot}
	for _, report := range meta.Reports {
		m.agreement.Reports = append(m.agreement.Reports, Report{report.MemberId, report.Digest})
	}
	for i, l := range meta.Leases {
		if i > 0 && meta.Leases[i-1].Id >= l.Id {
			return fmt.Errorf("%w: lease %d is out of order", ErrBadCheckpoint, l.Id)
		}
		m.leases.Set(l.Id, &lease{Lease: Lease{ID: l.Id, TTL: l.Ttl, Remaining: l.RemainingTtl, Renewed: l.Renewed}, generation: m.generation})
	}
	r.atFloor = map[int32]*version{}
	var err error
	m.auth, err = decodeAuth(meta)
	return err
}

// keys reads a chunk.
func (r *restoring) keys(chunk []byte) error {
	for len(chunk) > 0 {
		number, kind, n := protowire.ConsumeTag(chunk)
		if n < 0 || number != fieldVersions || kind != protowire.BytesType {
			return fmt.Errorf("%w: field %d in a run of keys", ErrBadCheckpoint, number)
		}
		encoded, size := protowire.ConsumeBytes(chunk[n:])
		if size < 0 {
			return fmt.Errorf("%w: a run of keys is cut short", ErrBadCheckpoint)
		}
		chunk = chunk[n+size:]
		v, wire, err := decodeCheckpointVersion(encoded)
		if err != nil {
			return err
		}
		if err := r.add(v, wire); err != nil {
			return err
		}
	}
	return nil
}

// add takes the next version, in the order of keys and then of age, and its encoding.
func (r *restoring) add(v *version, wire []byte) error {
	older := r.newest
	switch {
	case v.mod > r.m.rev:
		return fmt.Errorf("%w: a version of revision %d, above %d", ErrBadCheckpoint, v.mod, r.m.rev)
	case older == nil || older.key < v.key:
		r.finishKey()
	case older.key > v.key || older.mod > v.mod || older.mod == v.mod && older.sub >= v.sub:
		return fmt.Errorf("%w: versions out of order at revision %d", ErrBadCheckpoint, v.mod)
	default:
		v.key = older.key
		v.prev.Store(older)
	}
	r.newest = v
	if r.judging != nil {
		r.judging.take(v, wire)
	} else {
		r.m.restored(v, wire)
	}
	switch {
	case v.mod > r.floor:
		r.above = append(r.above, v)
	case v.mod == r.floor:
		r.atFloor[v.sub] = v
	}
	return nil
}

// finishKey puts the newest version of a key where it belongs.
func (r *restoring) finishKey() {
	v := r.newest
	r.newest = nil
	if v == nil {
		return
	}
	if v.tombstone() {
		r.m.tombstones.Load(v.key, v)
		return
	}
	if r.judging != nil {
		r.judging.exists(v)
	}
	r.m.live.Load(v.key, v)
	r.m.liveBytes += v.size()
	if v.lease != 0 {
		r.m.attach(v)
	}
}

// changes rebuilds the history and the keyCountLog from the floor on.
func (r *restoring) changes() error {
	m := r.m
	next := max(r.floor, firstChange) // the first revision with changes to record
	m.history.begin(next)
	if r.floor >= firstChange {
		if err := r.floorChanges(); err != nil {
			return err
		}
		next++
	}
	revisions := max(int(m.rev-next+1), 0)
	if revisions > len(r.above) {
		return fmt.Errorf("%w: %d versions for the changes of %d revisions", ErrBadCheckpoint, len(r.above), revisions)
	}
	for versions := range byRevision(r.above, next, revisions) {
		if err := checkChanges(versions, next); err != nil {
			return err
		}
		next++
		m.history.record(events(versions))
		for _, v := range versions {
			if v.tombstone() || v.number == 1 {
				m.keyCountLog.append(v)
			}
		}
	}
	return nil
}

// floorChanges records the changes of the floor itself. The chunks of keys do not
// hold all of them. Neither need the meta: a floor to which the revision was raised
// has none, and some may be missing in what was imported.
func (r *restoring) floorChanges() error {
	var versions []*version
	for _, event := range r.meta.FloorEvents {
		v, err := decodeVersion(event.Kv)
		if err != nil {
			return err
		}
		v.sub = event.Sub
		if v.mod != r.floor || len(versions) > 0 && versions[len(versions)-1].sub >= v.sub {
			return fmt.Errorf("%w: a change of revision %d at the compact revision %d", ErrBadCheckpoint, v.mod, r.floor)
		}
		if kept := r.atFloor[v.sub]; kept != nil {
			v = kept
		}
		versions = append(versions, v)
	}
	r.m.history.record(events(versions))
	return nil
}

// byRevision yields the versions of each of so many revisions from next on, in
// the order in which the revision made them.
func byRevision(all []*version, next revision.Rev, revisions int) iter.Seq[[]*version] {
	ends := make([]int, revisions+1) // where the versions of a revision end, shifted by one
	for _, v := range all {
		ends[v.mod-next+1]++
	}
	for i := range revisions {
		ends[i+1] += ends[i]
	}
	// From here on ends[i] is where the next version of revision i goes.
	sorted := make([]*version, len(all))
	for _, v := range all {
		i := v.mod - next
		sorted[ends[i]] = v
		ends[i]++
	}
	return func(yield func([]*version) bool) {
		from := 0
		for _, end := range ends[:revisions] {
			versions := sorted[from:end:end]
			slices.SortFunc(versions, func(a, b *version) int { return cmp.Compare(a.sub, b.sub) })
			if from = end; !yield(versions) {
				return
			}
		}
	}
}

// checkChanges is an error unless the versions are all changes of a revision.
func checkChanges(versions []*version, rev revision.Rev) error {
	if len(versions) == 0 {
		return fmt.Errorf("%w: no changes at revision %d", ErrBadCheckpoint, rev)
	}
	for i, v := range versions {
		if v.sub != int32(i) {
			return fmt.Errorf("%w: change %d is missing at revision %d", ErrBadCheckpoint, i, rev)
		}
	}
	return nil
}

func events(versions []*version) []Event {
	out := make([]Event, len(versions))
	for i, v := range versions {
		out[i] = Event{v}
	}
	return out
}
