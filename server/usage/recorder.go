package usage

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// The interval of a report, if it is not said, and the longest; and how many prefixes
// and clients are listed.
const (
	DefaultInterval = 10 * time.Second
	MaxInterval     = historySeconds * time.Second
	DefaultLimit    = 100
	MaxLimit        = tableSize
)

// Recorder counts who asks for what. Its methods may be called at the same time.
type Recorder struct {
	keys      *keys
	prefixes  *table[*prefixLabel]
	clients   *table[Peer]
	byPrefix  *history[*prefixLabel]
	byClient  *history[Peer]
	resources *resources
	began     time.Time

	// busy are the watchers with events that are not counted yet.
	mu   sync.Mutex
	busy []*watcher
}

// prefixLabel is what a prefix shows.
type prefixLabel struct {
	prefix, name, namespace string
	resource                *resource
}

// NewRecorder makes one that has counted nothing.
func NewRecorder() *Recorder {
	r := &Recorder{keys: newKeys(), resources: newResources(), began: time.Now()}
	r.prefixes = newTable(tableSize, r.labelled, func(l *prefixLabel) *resource { return l.resource })
	r.clients = newTable(tableSize, peerOf, func(Peer) *resource { return nil })
	r.byPrefix, r.byClient = newHistory(r.prefixes, r.began), newHistory(r.clients, r.began)
	return r
}

func (r *Recorder) labelled(prefix string) *prefixLabel {
	l := &prefixLabel{prefix: label(prefix, maxPrefix)}
	l.name, l.namespace = r.keys.named(prefix)
	l.resource = r.resources.of(l.name)
	return l
}

// Run closes the seconds of the history until stop is closed.
func (r *Recorder) Run(stop <-chan struct{}) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case now := <-tick.C:
			r.close(now)
		}
	}
}

func (r *Recorder) close(now time.Time) {
	r.collect()
	r.byPrefix.close(now)
	r.byClient.close(now)
}

// about counts for the prefix of a key, or of a range of keys.
func (r *Recorder) about(key, end []byte, c *Totals) {
	prefix := r.keys.of(key, end)
	if r.prefixes.add(prefix, c, func() bool { return !r.keys.learn(key) }) {
		return
	}
	r.prefixes.add(r.keys.of(key, end), c, nil)
}

// Name is the prefix that a key, or a range of keys, counts for, bounded and printable,
// and the Kubernetes resource and namespace that it stands for, if it does.
func (r *Recorder) Name(key, end []byte) (prefix, resource, namespace string) {
	whole := string(r.keys.of(key, end))
	resource, namespace = r.keys.named(whole)
	return label(whole, maxLabel), resource, namespace
}

// Report is who asked for what in about the last interval, of at most MaxInterval; the
// busiest of both, limit at most. 0 is for the defaults.
func (r *Recorder) Report(interval time.Duration, limit int) Report {
	if interval <= 0 {
		interval = DefaultInterval
	}
	if limit <= 0 {
		limit = DefaultLimit
	}
	now := time.Now()
	r.collect()
	report := Report{Recording: now.Sub(r.began).Seconds()}
	prefixes, otherPrefixes, _ := tell(r.byPrefix, interval, limit, now)
	report.OtherPrefixes = otherPrefixes
	for _, p := range prefixes {
		report.Prefixes = append(report.Prefixes, Prefix{Prefix: p.label.prefix, Resource: p.label.name, Namespace: p.label.namespace, Activity: p.Activity})
	}
	clients, otherClients, took := tell(r.byClient, interval, limit, now)
	report.OtherClients, report.Interval = otherClients, took.Seconds()
	report.All = otherClients
	for _, c := range clients {
		report.Clients = append(report.Clients, Client{
			Address: c.label.Address, User: c.label.User, Certificate: c.label.Certificate, UserAgent: c.label.UserAgent, Activity: c.Activity,
		})
		report.All.Add(&c.Activity)
	}
	return report
}

// told is a thing of a table with its activity.
type told[L any] struct {
	label L
	count Totals // in the interval
	Activity
}

// tell makes the list of a table's busiest things, and the sum of the others.
func tell[L any](h *history[L], interval time.Duration, limit int, now time.Time) (listed []told[L], other Activity, took time.Duration) {
	by, lost, took := h.since(interval, now)
	seconds := took.Seconds()
	var all []told[L]
	rest := Activity{}
	h.table.each(func(e *thing[L]) {
		t := told[L]{label: e.label, Activity: Activity{Watchers: e.watchers, Total: e.total}}
		if c := by[e.name]; c != nil {
			t.count = c.Totals
			delete(by, e.name)
		}
		all = append(all, t)
	}, func(_ *resource, s *sums) {
		rest.Total.add(&s.Totals)
		rest.Watchers += s.watchers
	})
	for _, c := range by { // forgotten since
		all = append(all, told[L]{label: c.thing.label, count: c.Totals})
	}
	slices.SortFunc(all, func(a, b told[L]) int {
		return cmp.Or(cmp.Compare(b.count.weight(), a.count.weight()), cmp.Compare(b.Watchers, a.Watchers), cmp.Compare(b.Total.weight(), a.Total.weight()))
	})
	for i := range all {
		all[i].Rates = per(&all[i].count, seconds)
		if i >= limit {
			rest.Add(&all[i].Activity)
		}
	}
	lostRates := per(&lost, seconds)
	rest.Rates.add(&lostRates)
	return all[:min(limit, len(all))], rest, took
}
