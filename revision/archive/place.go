package archive

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/zkine/zkine/revision"
)

// marker is the object that says whose this is.
type marker struct {
	Zkine  string `json:"zkine"`
	Format int    `json:"format"`
}

const (
	formatVersion = 1
	maxMarker     = 4 << 10 // bytes
)

// checkMarker says whether a store holds an archive that this zkine can use. ErrEmpty: it
// holds nothing; ErrForeign, ErrNewerFormat.
func checkMarker(ctx context.Context, s Store) error {
	data, err := s.Get(ctx, markerName, maxMarker)
	if errors.Is(err, ErrNotFound) {
		data, err = begunSince(ctx, s)
	}
	if err != nil {
		return err
	}
	var m marker
	switch err := json.Unmarshal(data, &m); {
	case err != nil || m.Format < 1:
		return fmt.Errorf("%w: %s in %v is not a zkine's", ErrForeign, markerName, s)
	case m.Format > formatVersion:
		return fmt.Errorf("%w: %v has format %d, this zkine reads up to %d; upgrade it", ErrNewerFormat, s, m.Format, formatVersion)
	}
	return nil
}

// begunSince is the marker of an archive that had none just now, if another archiver has
// begun it since. ErrEmpty: it holds nothing; ErrForeign.
func begunSince(ctx context.Context, s Store) ([]byte, error) {
	for object, err := range s.List(ctx, "") {
		if err != nil {
			return nil, err
		}
		data, err := s.Get(ctx, markerName, maxMarker)
		if errors.Is(err, ErrNotFound) {
			err = fmt.Errorf("%w: %v has no object %s but, for one, %q", ErrForeign, s, markerName, object.Name)
		}
		return data, err
	}
	return nil, fmt.Errorf("%w: %v holds nothing", ErrEmpty, s)
}

// writeMarker makes an archive of a store that holds nothing.
func writeMarker(ctx context.Context, s Store) error {
	data, err := json.Marshal(marker{"the log of a zkine, by cluster id; see docs/recovery.md", formatVersion})
	if err != nil {
		return err
	}
	if err := s.Put(ctx, markerName, append(data, '\n')); err != nil && !errors.Is(err, ErrExists) {
		return err
	}
	return nil
}

// Place is what an archive has of one cluster, as of when it was looked at.
type Place struct {
	store Store
	id    placeID
	// runs are in order of their first slots; of those with the same one, the longest
	// comes last.
	runs []run
	// checkpoints are complete, in order; unfinished are folders without a manifest.
	checkpoints []CheckpointRef
	unfinished  []CheckpointRef
	// strange are objects with names that are none.
	strange []string
	bytes   int64
	objects int64
	// read is told of each object that is read, if it is set.
	read func(bytes int)
}

// Clusters lists what an archive has: cluster ids, and behind a dash the number of a
// decision, as OpenPlace takes them. Errors: ErrEmpty, ErrForeign, ErrNewerFormat; the
// store's.
func Clusters(ctx context.Context, s Store) ([]string, error) {
	if err := checkMarker(ctx, s); err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for object, err := range s.List(ctx, "") {
		if err != nil {
			return nil, err
		}
		folder, _, _ := strings.Cut(object.Name, "/")
		if _, ok := parsePlace(folder); ok {
			seen[folder] = true
		}
	}
	var names []string
	for name := range seen {
		names = append(names, name)
	}
	slices.Sort(names)
	return names, nil
}

// Highest is the highest revision of all checkpoints in an archive, whatever cluster they
// are of: one that was restored has later revisions than the one that it was restored
// from. Errors: the store's.
func Highest(ctx context.Context, s Store) (revision.Rev, error) {
	highest := revision.Rev(0)
	for object, err := range s.List(ctx, "") {
		if err != nil {
			return 0, err
		}
		folder, _, _ := strings.Cut(object.Name, "/")
		if id, ok := parsePlace(folder); ok {
			if c, _, ok := parseCheckpoint(id, object.Name); ok {
				highest = max(highest, c.Revision)
			}
		}
	}
	return highest, nil
}

// OpenPlace looks at what an archive has of a cluster, the very one that Clusters lists, or
// of its id in hexadecimal if there is one place of it; "" for the only one. Errors:
// ErrManyClusters, and those of Clusters.
func OpenPlace(ctx context.Context, s Store, cluster string) (*Place, error) {
	names, err := Clusters(ctx, s)
	if err != nil {
		return nil, err
	}
	all := names
	if slices.Contains(all, cluster) {
		names = []string{cluster} // and not those with a number behind it
	} else if cluster != "" {
		names = slices.DeleteFunc(slices.Clone(names), func(name string) bool {
			short := strings.TrimLeft(name, "0")
			return short != cluster && !strings.HasPrefix(short, strings.TrimLeft(cluster, "0")+"-")
		})
	}
	switch {
	case len(all) == 0:
		return nil, fmt.Errorf("%w: %v has nothing yet", ErrEmpty, s)
	case len(names) == 0:
		return nil, fmt.Errorf("%w: %v has nothing of cluster %s, but of %s", ErrEmpty, s, cluster, strings.Join(all, ", "))
	case len(names) > 1:
		return nil, fmt.Errorf("%w: %v has %s; name one", ErrManyClusters, s, strings.Join(names, ", "))
	}
	id, _ := parsePlace(names[0])
	return listPlace(ctx, s, id)
}

// listPlace reads the names in a place, which may be empty.
func listPlace(ctx context.Context, s Store, id placeID) (*Place, error) {
	p := &Place{store: s, id: id}
	manifests := map[CheckpointRef]bool{}
	for object, err := range s.List(ctx, id.String()+"/") {
		if err != nil {
			return nil, err
		}
		p.objects++
		p.bytes += object.Size
		if r, ok := parseRun(id, object.Name); ok {
			p.runs = append(p.runs, r)
		} else if c, rest, ok := parseCheckpoint(id, object.Name); ok {
			manifests[c] = manifests[c] || rest == "manifest"
		} else {
			p.strange = append(p.strange, object.Name)
		}
	}
	for c, complete := range manifests {
		if complete {
			p.checkpoints = append(p.checkpoints, c)
		} else {
			p.unfinished = append(p.unfinished, c)
		}
	}
	slices.SortFunc(p.runs, func(a, b run) int {
		return cmp.Or(cmp.Compare(a.segment, b.segment), cmp.Compare(a.first, b.first), cmp.Compare(a.last, b.last), a.after.Compare(b.after))
	})
	slices.SortFunc(p.checkpoints, func(a, b CheckpointRef) int {
		return cmp.Or(cmp.Compare(a.Segment, b.Segment), cmp.Compare(a.Revision, b.Revision), cmp.Compare(a.written, b.written))
	})
	return p, nil
}

// Cluster is the name of the place: a cluster id, and behind a dash the number of a
// decision if there was one.
func (p *Place) Cluster() string { return p.id.String() }

// ClusterID is that of the root whose log it is.
func (p *Place) ClusterID() uint64 { return p.id.cluster }

// Checkpoints lists those that are complete, in order.
func (p *Place) Checkpoints() []CheckpointRef { return slices.Clone(p.checkpoints) }

// Objects is how many there are, and how many bytes they have.
func (p *Place) Objects() (count, bytes int64) { return p.objects, p.bytes }

// Newest is the place of the newest slot, and when it was written, zero if that is not
// known; {} if there is none.
func (p *Place) Newest() (revision.Seq, time.Time) {
	r, found := p.newestRun()
	if !found {
		return revision.Seq{}, time.Time{}
	}
	return r.end(), timeOf(r.written)
}

func (p *Place) newestRun() (newest run, found bool) {
	for _, r := range p.runs {
		if newest.end().Before(r.end()) {
			newest, found = r, true
		}
	}
	return newest, found
}

// writtenUpTo is the latest time of the slots up to the end of a segment, as far as it
// is known; 0 if it is not.
func (p *Place) writtenUpTo(segment int64) (ms int64) {
	for _, r := range p.runs {
		if r.segment <= segment {
			ms = max(ms, r.written)
		}
	}
	return ms
}

// lastOf is the run with the last slots of a segment, as far as they are there.
func (p *Place) lastOf(segment int64) (last run, found bool) {
	for _, r := range p.runs {
		if r.segment == segment && (!found || r.last >= last.last) {
			last, found = r, true
		}
	}
	return last, found
}

// next is the run that has the slot after a place, and of several the one that goes on
// for longest.
func (p *Place) next(at revision.Seq) (next run, found bool) {
	from, _ := slices.BinarySearchFunc(p.runs, at, func(r run, at revision.Seq) int { return cmp.Compare(r.segment, at.Segment) })
	for _, r := range p.runs[from:] {
		if found && r.segment > next.segment || !found && r.first > 0 && r.segment > at.Segment {
			break
		}
		if r.follows(at) && (!found || r.last > next.last) {
			next, found = r, true
		}
	}
	return next, found
}

// chain lists the runs that follow each other after a place.
func (p *Place) chain(at revision.Seq) (runs []run) {
	for {
		r, found := p.next(at)
		if !found {
			return runs
		}
		runs, at = append(runs, r), r.end()
	}
}

// beyond is the first run that begins after a place; false if there is none.
func (p *Place) beyond(at revision.Seq) (run, bool) {
	for _, r := range p.runs {
		if at.Before(r.end()) {
			return r, true
		}
	}
	return run{}, false
}
