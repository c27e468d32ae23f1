package transfer

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"

	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision"
)

// Only leaves the keys that begin with one of the prefixes, as they are at Revision, and the leases that
// they are attached to. The history before is left out: it would have holes. Errors:
// those of Keys.
func (c *Contents) Only(ctx context.Context, prefixes ...string) error {
	wanted := func(key []byte) bool {
		return slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(string(key), prefix) })
	}
	keys, attached := c.Keys, map[int64]bool{}
	c.Keys = func(ctx context.Context) iter.Seq2[state.Version, error] {
		return func(yield func(state.Version, error) bool) {
			for v, err := range newest(keys(ctx)) {
				if err == nil && !wanted(v.KV.Key) {
					continue
				}
				if !yield(v, err) {
					return
				}
			}
		}
	}
	c.Compact, c.FloorEvents, c.Hash, c.Count, c.Bytes = c.Revision, nil, nil, 0, 0
	for v, err := range keys(ctx) { // the floor's events are the deletions, too
		if err != nil {
			return err
		}
		if v.KV.ModRevision == int64(c.Revision) && wanted(v.KV.Key) {
			c.FloorEvents = append(c.FloorEvents, v)
		}
	}
	slices.SortFunc(c.FloorEvents, func(a, b state.Version) int { return cmp.Compare(a.Sub, b.Sub) })
	for v, err := range c.Keys(ctx) {
		if err != nil {
			return err
		}
		c.Count++
		c.Bytes += int64(len(v.KV.Key) + len(v.KV.Value))
		attached[v.KV.Lease] = true
	}
	c.Leases = slices.DeleteFunc(slices.Clone(c.Leases), func(l state.Lease) bool { return !attached[l.ID] })
	return nil
}

// Fresh gives the keys new revisions above floor, one each, in the order in which they
// were changed last: as if each had just been put. Nothing below the last one can be
// read. Errors: those of Keys, or that the revisions would be too high.
func (c *Contents) Fresh(ctx context.Context, floor revision.Rev) error {
	type changed struct {
		mod int64
		sub int32
		at  int // by key
	}
	var all []changed
	for v, err := range newest(c.Keys(ctx)) {
		if err != nil {
			return err
		}
		all = append(all, changed{v.KV.ModRevision, v.Sub, len(all)})
	}
	if floor < 1 || floor > math.MaxInt64>>4-revision.Rev(len(all)) {
		return fmt.Errorf("transfer: no keys can have revisions above %d", floor)
	}
	slices.SortFunc(all, func(a, b changed) int { return cmp.Or(cmp.Compare(a.mod, b.mod), cmp.Compare(a.sub, b.sub)) })
	revisions := make([]int64, len(all))
	for i, one := range all {
		revisions[one.at] = int64(floor) + int64(i) + 1
	}
	keys := c.Keys
	c.Keys = func(ctx context.Context) iter.Seq2[state.Version, error] {
		return renewed(newest(keys(ctx)), revisions)
	}
	c.Revision = floor + revision.Rev(len(all))
	c.Compact, c.FloorEvents, c.Hash = c.Revision, nil, nil
	c.RaisedTo, c.RaisedSub = 0, 0
	return nil
}

// renewed gives versions their new revisions.
func renewed(keys iter.Seq2[state.Version, error], revisions []int64) iter.Seq2[state.Version, error] {
	return func(yield func(state.Version, error) bool) {
		i := 0
		for v, err := range keys {
			if err == nil {
				v.KV.CreateRevision, v.KV.ModRevision, v.KV.Version, v.Sub = revisions[i], revisions[i], 1, 0
				i++
			}
			if !yield(v, err) {
				return
			}
		}
	}
}

// newest leaves the newest version of each key that is not deleted.
func newest(keys iter.Seq2[state.Version, error]) iter.Seq2[state.Version, error] {
	return func(yield func(state.Version, error) bool) {
		var last state.Version
		for v, err := range keys {
			if err != nil {
				yield(v, err)
				return
			}
			if last.KV != nil && last.KV.Version > 0 && string(last.KV.Key) != string(v.KV.Key) && !yield(last, nil) {
				return
			}
			last = v
		}
		if last.KV != nil && last.KV.Version > 0 {
			yield(last, nil)
		}
	}
}
