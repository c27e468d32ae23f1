package top

import (
	"cmp"
	"slices"

	"github.com/zkine/zkine/server/usage"
)

// merge makes one report of several members', which each count for themselves. The
// interval is the longest, and the sums are those of all.
func merge(reports []usage.Report) usage.Report {
	all := usage.Report{Prefixes: []usage.Prefix{}, Clients: []usage.Client{}}
	type who struct{ address, user, certificate, agent string }
	prefixes, clients := map[string]int{}, map[who]int{}
	for i := range reports {
		r := &reports[i]
		all.Interval, all.Recording = max(all.Interval, r.Interval), max(all.Recording, r.Recording)
		all.All.Add(&r.All)
		all.OtherPrefixes.Add(&r.OtherPrefixes)
		all.OtherClients.Add(&r.OtherClients)
		for _, p := range r.Prefixes {
			if at, known := prefixes[p.Prefix]; known {
				all.Prefixes[at].Add(&p.Activity)
				continue
			}
			prefixes[p.Prefix] = len(all.Prefixes)
			all.Prefixes = append(all.Prefixes, p)
		}
		for _, c := range r.Clients {
			name := who{c.Address, c.User, c.Certificate, c.UserAgent}
			if at, known := clients[name]; known {
				all.Clients[at].Add(&c.Activity)
				continue
			}
			clients[name] = len(all.Clients)
			all.Clients = append(all.Clients, c)
		}
	}
	slices.SortStableFunc(all.Prefixes, func(a, b usage.Prefix) int {
		return cmp.Or(cmp.Compare(b.Busy(), a.Busy()), cmp.Compare(a.Prefix, b.Prefix))
	})
	slices.SortStableFunc(all.Clients, func(a, b usage.Client) int {
		return cmp.Or(cmp.Compare(b.Busy(), a.Busy()), cmp.Compare(a.Address, b.Address), cmp.Compare(a.UserAgent, b.UserAgent))
	})
	return all
}
