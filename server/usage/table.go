package usage

import (
	"hash/maphash"
	"math"
	"sync"
)

const (
	// tableSize is how many things a table holds.
	tableSize = 1024
	// tableShards share them, each with a lock of its own.
	tableShards = 16
	// watcherWeight is how many calls a minute an open watcher stands for, so that what
	// is watched stays longer than what was asked for once.
	watcherWeight = 2
)

// table counts a bounded number of things, by name. Of more things the busiest stay:
// a new one takes the place of the least busy one of its shard, and inherits its weight,
// as in the Space-Saving sketch (Metwally, Agrawal and El Abbadi, 2005). So what makes up
// more than 1/n of a shard's weight is in the shard, of n things, however many others
// come and go. What a thing has counted itself is exact; of one that was forgotten, other
// has the counts. Weights halve with weightHalf.
//
// L is what else is known of a thing.
type table[L any] struct {
	seed maphash.Seed
	// made gives a new thing its label.
	made func(name string) L
	// resource is what a thing counts for in Prometheus; nil for nothing.
	resource func(label L) *resource
	shards   [tableShards]shard[L]
}

type shard[L any] struct {
	mu     sync.Mutex
	things map[string]*thing[L]
	all    []*thing[L] // the same, to look through
	most   int
	// other are the things that were forgotten, by resource: their counts, and watchers
	// that are still open. forgotten are the counts since the last second was closed.
	other     map[*resource]*sums
	forgotten Totals
}

// sums are those of several things.
type sums struct {
	Totals
	watchers int64
}

// thing is one that is counted. Its shard's lock guards it.
type thing[L any] struct {
	name  string
	shard *shard[L]
	label L
	// total is since it is known, closed at the end of the last second.
	total, closed Totals
	watchers      int64
	// weight is as of the end of the last second; inherited ones are in it.
	weight float64
	// gone says that it was forgotten.
	gone bool
}

func newTable[L any](size int, made func(name string) L, resourceOf func(label L) *resource) *table[L] {
	t := &table[L]{seed: maphash.MakeSeed(), made: made, resource: resourceOf}
	for i := range t.shards {
		s := &t.shards[i]
		s.things, s.other, s.most = make(map[string]*thing[L]), make(map[*resource]*sums), max(1, size/tableShards)
	}
	return t
}

func (t *table[L]) shard(name []byte) *shard[L] {
	return &t.shards[maphash.Bytes(t.seed, name)%tableShards]
}

// add counts for what has a name. known, if not nil, is asked about a new name first:
// false if the name is another one by now.
func (t *table[L]) add(name []byte, c *Totals, known func() bool) bool {
	s := t.shard(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.things[string(name)]
	if e == nil {
		if known != nil && !known() {
			return false
		}
		e = t.enter(s, string(name))
	}
	e.total.add(c)
	return true
}

// addTo counts for a thing that was got before, which may have been forgotten since.
// It returns the thing that has the name now.
func (t *table[L]) addTo(e *thing[L], c *Totals) *thing[L] {
	s := e.shard
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.gone {
		e = t.in(s, e.name)
	}
	e.total.add(c)
	return e
}

// get is the thing of a name.
func (t *table[L]) get(name string) *thing[L] {
	s := t.shard([]byte(name))
	s.mu.Lock()
	defer s.mu.Unlock()
	return t.in(s, name)
}

// watch counts watchers of a thing, until the same number is taken off it.
func (t *table[L]) watch(e *thing[L], n int64) {
	s := e.shard
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.gone {
		t.others(e).watchers += n
		return
	}
	e.watchers += n
}

// others are the sums of what was forgotten and counts for the same resource.
func (t *table[L]) others(e *thing[L]) *sums {
	of := t.resource(e.label)
	if e.shard.other[of] == nil {
		e.shard.other[of] = new(sums)
	}
	return e.shard.other[of]
}

// in is the thing of a name in its shard, whose lock is held.
func (t *table[L]) in(s *shard[L], name string) *thing[L] {
	if e := s.things[name]; e != nil {
		return e
	}
	return t.enter(s, name)
}

func (t *table[L]) enter(s *shard[L], name string) *thing[L] {
	e := &thing[L]{name: name, shard: s, label: t.made(name)}
	if len(s.all) < s.most {
		s.all = append(s.all, e)
	} else {
		place := s.leastBusy()
		e.weight = t.forget(s, s.all[place])
		s.all[place] = e
	}
	s.things[name] = e
	return e
}

// leastBusy is the place of the least busy thing.
func (s *shard[L]) leastBusy() (place int) {
	lightest := math.Inf(1)
	for i, e := range s.all {
		if w := e.heavy(); w < lightest {
			place, lightest = i, w
		}
	}
	return place
}

// forget takes a thing out of the names, and returns its weight.
func (t *table[L]) forget(s *shard[L], least *thing[L]) float64 {
	weight := least.heavy() - watcherWeight*float64(least.watchers)
	delete(s.things, least.name)
	least.gone = true
	other := t.others(least)
	other.add(&least.total)
	other.watchers += least.watchers
	open := least.total.since(&least.closed)
	s.forgotten.add(&open)
	return weight
}

// heavy is how busy a thing is now.
func (e *thing[L]) heavy() float64 {
	return e.weight + e.total.weight() - e.closed.weight() + watcherWeight*float64(e.watchers)
}

// counted is what a thing has counted in a second.
type counted[L any] struct {
	thing *thing[L]
	Totals
}

// close ends a second: it returns what was counted in it, and the sum of what was
// forgotten. decay is what is left of the weights from before.
func (t *table[L]) close(decay float64) (all []counted[L], forgotten Totals) {
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		for _, e := range s.all {
			open := e.total.since(&e.closed)
			e.weight *= decay
			if open != (Totals{}) {
				e.weight += open.weight()
				e.closed = e.total
				all = append(all, counted[L]{e, open})
			}
		}
		forgotten.add(&s.forgotten)
		s.forgotten = Totals{}
		s.mu.Unlock()
	}
	return all, forgotten
}

// each calls f with all things, and lost with the sums of those that were forgotten.
// Of a thing only total, watchers and label may be looked at. What counts for one
// resource is never seen twice, nor left out.
func (t *table[L]) each(f func(e *thing[L]), lost func(of *resource, s *sums)) {
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		for _, e := range s.all {
			f(e)
		}
		for of, sum := range s.other {
			lost(of, sum)
		}
		s.mu.Unlock()
	}
}
