package main

import (
	"fmt"
	"time"
)

// What is asked of zkine in each row; the row has the bounds of memory and descriptors.
const (
	// slower is how much the p99 of the well-behaved client may grow; or as much as etcd's, or to what etcd's is.
	slower = 2
	// room is how many bytes zkine may grow beyond etcd in each row: it lets 64 MiB of garbage lie until it collects
	// (cmd/zkine/gctuner.go), where etcd lets as much as lives; and half as much again.
	room = 96 << 20
	// mostLog is what a load may have a server log; or as much as etcd, if that is more.
	mostLog = 256 << 10
	// mostHeld is how much of the heap may be alive under the load, beside the row's and what etcd holds.
	mostHeld = 16 << 20
	// mostKept is how much of the heap may stay after the load, and a collection, beside the row's and what etcd keeps.
	mostKept = 32 << 20
	// fewDescriptors are those besides one for each connection of the load: newcomers', files that are being written.
	fewDescriptors = 30
)

// slowed says whether the well-behaved client was, too much.
func slowed(zkine, etcd *result) []string {
	bar, least := float64(slower), time.Duration(0)
	if etcd != nil {
		bar, least = max(bar, etcd.ratio()), etcd.during.p99
	}
	if zkine.died != nil || zkine.ratio() <= bar || zkine.during.p99 <= least {
		return nil
	}
	return []string{fmt.Sprintf("p99 %.1f times that of the calm, bar %.1f", zkine.ratio(), bar)}
}

// exceeded says which bounds zkine does not keep; nil etcd is one that is not there to compare with.
func exceeded(r row, zkine, etcd *result) (all []string) {
	miss := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	if zkine.died != nil {
		return []string{fmt.Sprintf("it died: %v", zkine.died)}
	}
	failures, logged, grown, held, kept := 0.0, int64(mostLog), int64(r.alone)<<20, int64(r.alone)<<20, int64(mostKept)
	served, ready := 0.5, 0.5 // alone nothing says how many a machine that is busy lets be served in time
	if etcd != nil {
		failures, logged = etcd.failures(), max(logged, etcd.logged)
		grown = max(etcd.grown, 0) + r.allowance()
		held = max(etcd.held(), 0) + mostHeld + int64(r.memory)<<20
		kept += max(etcd.kept(), 0) + int64(r.memory)<<20
		served, ready = etcd.share(etcd.probes.served), etcd.share(etcd.probes.ready)
	}
	if zkine.failures() > failures {
		miss("%d of %d calls failed, %d events are lost (%v)", zkine.during.failed, zkine.during.calls, zkine.lost, zkine.during.why)
	}
	if zkine.grown > grown {
		miss("memory grew by %s, bar %s", mib(zkine.grown), mib(grown))
	}
	if zkine.held() > held {
		miss("%s of heap are alive under the load, bar %s", mib(zkine.held()), mib(held))
	}
	if bar := zkine.before.descriptors + r.conns + fewDescriptors; zkine.most.descriptors > bar {
		miss("%d descriptors, bar %d", zkine.most.descriptors, bar)
	}
	if zkine.logged > logged {
		miss("logged %s, bar %s", mib(zkine.logged), mib(logged))
	}
	if zkine.kept() > kept {
		miss("kept %s of heap, bar %s", mib(zkine.kept()), mib(kept))
	}
	if zkine.back > backLimit {
		miss("not as before after %v: %s", backLimit, zkine.backWhy)
	}
	if !r.closed && zkine.share(zkine.probes.served) < served {
		miss("%d of %d newcomers were served", zkine.probes.served, zkine.probes.asked)
	}
	if zkine.share(zkine.probes.ready) < ready {
		miss("/readyz answered %d of %d", zkine.probes.ready, zkine.probes.asked)
	}
	return all
}

// ratio is the p99 under load by that of the calm.
func (res *result) ratio() float64 {
	if res.calm.p99 == 0 {
		return 0
	}
	return float64(res.during.p99) / float64(res.calm.p99)
}

// failures is the share of the calls that failed, and of the events that are lost.
func (res *result) failures() float64 {
	return float64(res.during.failed+res.lost) / float64(max(res.during.calls, 1))
}

// held is how many bytes of the heap are alive because of the load. Of a server that was too busy to say so, all that it
// has grown by counts.
func (res *result) held() int64 {
	if res.heapUnder == 0 {
		return res.grown
	}
	return res.heapUnder - res.heapBefore
}

// kept is how many bytes of the heap stayed.
func (res *result) kept() int64 { return res.heapAfter - res.heapBefore }

// share is a part of the newcomers.
func (res *result) share(of int) float64 {
	if res.probes.asked == 0 {
		return 1
	}
	return float64(of) / float64(res.probes.asked)
}

// mib writes a number of bytes.
func mib(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

// ms writes a time.
func ms(d time.Duration) string { return fmt.Sprintf("%.1f", float64(d)/float64(time.Millisecond)) }

// allowance is how many bytes zkine may grow beyond etcd.
func (r row) allowance() int64 { return room + int64(r.memory)<<20 }
