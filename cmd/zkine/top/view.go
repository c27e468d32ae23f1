package top

import (
	"cmp"
	"slices"

	"github.com/zkine/zkine/server/usage"
)

// view is what of the snapshots is looked at, and how.
type view struct {
	// now is the last snapshot, nil before the first. before is the one before it, from
	// which the use of processors follows.
	now, before *Snapshot
	order       order
	shown       shown
	scroll      int // rows of the tables of prefixes and clients that are above the page
	paused      bool
	help        bool
}

// shown is which of the two tables are shown.
type shown int

const (
	both shown = iota
	prefixesOnly
	clientsOnly
	shownAll
)

// order is what prefixes and clients are ordered by.
type order struct {
	key  rune
	name string
	of   func(a *usage.Activity) float64
}

// orders are all of them, the first is the one to begin with. The key chooses one.
var orders = []order{
	{'b', "busy", func(a *usage.Activity) float64 { return a.Busy() }},
	{'w', "writes", func(a *usage.Activity) float64 { return a.Writes }},
	{'r', "reads", func(a *usage.Activity) float64 { return a.Reads }},
	{'e', "events", func(a *usage.Activity) float64 { return a.Events }},
	{'i', "bytes in", func(a *usage.Activity) float64 { return a.BytesWritten }},
	{'o', "bytes out", out},
	{'n', "watchers", func(a *usage.Activity) float64 { return float64(a.Watchers) }},
	{'x', "errors", func(a *usage.Activity) float64 { return a.Errors }},
}

// out are the bytes that clients got.
func out(a *usage.Activity) float64 { return a.BytesRead + a.BytesWatched }

// orderOf is the order of a key.
func orderOf(key rune) (o order, ok bool) {
	at := slices.IndexFunc(orders, func(o order) bool { return o.key == key })
	if at < 0 {
		return order{}, false
	}
	return orders[at], true
}

// take is what a new snapshot does: the one that is shown stays while it is paused.
func (v *view) take(s *Snapshot) {
	if v.paused {
		return
	}
	v.before, v.now = v.now, s
}

// prefixes are those of the snapshot in their order. Busier ones come first among equals,
// as they are.
func (v *view) prefixes() []usage.Prefix {
	return ordered(v.now.Usage.Prefixes, v.order, func(p *usage.Prefix) *usage.Activity { return &p.Activity })
}

func (v *view) clients() []usage.Client {
	return ordered(v.now.Usage.Clients, v.order, func(c *usage.Client) *usage.Activity { return &c.Activity })
}

func ordered[T any](all []T, by order, of func(*T) *usage.Activity) []T {
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b T) int { return cmp.Compare(by.of(of(&b)), by.of(of(&a))) })
	return all
}

// cpu is how much of a processor a member took between the two snapshots, 1 for all of
// one; negative if that is not known.
func (v *view) cpu(m *Member) float64 {
	if v.before == nil {
		return -1
	}
	for i := range v.before.Members {
		b := &v.before.Members[i]
		if passed := m.UptimeSeconds - b.UptimeSeconds; b.ID == m.ID && b.Error == "" && passed > 0 {
			return (m.CPUSeconds - b.CPUSeconds) / passed
		}
	}
	return -1
}
