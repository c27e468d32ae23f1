package main

import "fmt"

// bar is what is asked of zkine, as a ratio of two contenders' medians in one run.
type bar struct {
	what  string
	point string
	of    metric
	// The ratio is zkine's to the other's.
	zkine, other string
	want         float64
	lower        bool // is better
}

func times(what, point, zkine, other string, want float64) bar {
	return bar{what: what, point: point, of: perSecond, zkine: zkine, other: other, want: want}
}

func atMost(what, point string, of metric, zkine, other string, want float64) bar {
	return bar{what: what, point: point, of: of, zkine: zkine, other: other, want: want, lower: true}
}

// bars are all of them.
var bars = []bar{
	atMost("Kubernetes, 500 pods deployed, processor time of all processes, three : three", "kube/deploy", serverCPU, "zkines3", "etcd3", 1.2),
	atMost("Kubernetes, 500 pods replaced, processor time", "kube/roll", serverCPU, "zkines3", "etcd3", 1.2),
	atMost("the same, all just started: deployed", "kube-cold/deploy", serverCPU, "zkines3", "etcd3", 1.2),
	atMost("the same, all just started: replaced", "kube-cold/roll", serverCPU, "zkines3", "etcd3", 1.2),
	atMost("Kubernetes, resident memory of all processes at the end", "kube-cold/delete", memory, "zkines3", "etcd3", 1.8),
	atMost("Kubernetes, update p50, deployed", "kube/deploy", p50, "zkines3", "etcd3", 0.9),
	atMost("Kubernetes, update p50, replaced", "kube/roll", p50, "zkines3", "etcd3", 0.9),
	atMost("Kubernetes, get p50, deployed", "kube/deploy", getP50, "zkines3", "etcd3", 0.9),
	atMost("Kubernetes, get p50, replaced", "kube/roll", getP50, "zkines3", "etcd3", 0.9),
	times("update throughput, 10 clients, three : three", "update/10", "zkine3", "etcd3", 1.5),
	times("update throughput, 100 clients, three : three", "update/100", "zkine3", "etcd3", 2.2),
	times("update throughput, 100 clients, three : three, grpc-go's client", "update-go/100", "zkine3", "etcd3", 2.2),
	times("update throughput, 100 clients, three : three, all just started", "update-cold/100", "zkine3", "etcd3", 1.5),
	times("update throughput, 400 clients, three : three", "update/400", "zkine3", "etcd3", 2.5),
	times("update throughput, 100 clients, one : one", "update/100", "zkine1", "etcd1", 1.3),
	times("update throughput, 400 clients, one : one", "update/400", "zkine1", "etcd1", 1.3),
	times("update throughput, 100 clients, ZooKeeper by TLS with ACLs : plain, three ZooKeepers", "update/100", "zkine3-tls", "zkine3", 0.9),
	atMost("one client, update p50, three : three", "update/1", p50, "zkine3", "etcd3", 0.8),
	atMost("one client, update p50, three : three, ZooKeepers at their own settings", "update/1", p50, "zkine3-defaults", "etcd3", 1),
	times("one client, updates, three : three, all just started", "update-cold/1", "zkine3", "etcd3", 1.1),
	atMost("the same, processor time an update", "update-cold/1", cpuPerOp, "zkine3", "etcd3", 0.8),
	times("one client, updates, one : one, all just started, the embedded ZooKeeper", "update-cold/1", "zkine-own", "etcd1", 1),
	atMost("the same, processor time an update", "update-cold/1", cpuPerOp, "zkine-own", "etcd1", 1.2),
	times("one client, updates, one : one", "update/1", "zkine1", "etcd1", 1),
	atMost("the same, processor time an update", "update/1", cpuPerOp, "zkine1", "etcd1", 1.2),
	atMost("one client, 1,025 puts one after the other, other work beside, whole time, one : one, a ZooKeeper at its own settings", "puts-beside/1", took, "zkine1-defaults", "etcd1", 1.5),
	atMost("resident memory, one : one with the embedded ZooKeeper, after 30 s of 50 clients", "memory/50", memory, "zkine-own", "etcd1", 1.5),
	atMost("one client p50 : bare ZooKeeper multi of the same bytes, one server", "update/1", p50, "zkine1", "bare1", 1.25),
	atMost("one client p50 : bare ZooKeeper multi of the same bytes, three servers", "update/1", p50, "zkine3", "bare3", 1.25),
	times("update throughput, 1 client : kine, synchronous=FULL", "update/1", "zkine1", "kine-full", 5),
	times("update throughput, 100 clients : kine, synchronous=FULL", "update/100", "zkine1", "kine-full", 5),
	times("update throughput, 400 clients : kine, synchronous=FULL", "update/400", "zkine1", "kine-full", 5),
	times("update throughput, 100 clients, three ZooKeepers : kine, synchronous=FULL", "update/100", "zkine3", "kine-full", 5),
	atMost("linearizable get, one client, p50, three : three", "get/1", p50, "zkine3", "etcd3", 1.6),
	times("linearizable get, 100 clients, three : three", "get/100", "zkine3", "etcd3", 1.3),
	atMost("linearizable get, one client, p50, one : one with the embedded ZooKeeper", "get/1", p50, "zkine-own", "etcd1", 1.6),
	times("linearizable get, 100 clients, one : one with the embedded ZooKeeper", "get/100", "zkine-own", "etcd1", 1.3),
	atMost("linearizable get, one client, p50, with read leases, three : three", "get/1", p50, "zkine3-lease", "etcd3", 0.5),
	times("linearizable get, 100 clients, with read leases, three : three", "get/100", "zkine3-lease", "etcd3", 2),
	times("update throughput, 100 clients, with read leases : without, three ZooKeepers", "update/100", "zkine3-lease", "zkine3", 1),
	times("serializable get, 100 clients, three : three", "get-serial/100", "zkine3", "etcd3", 1.3),
	times("list of 10,000 x 1 KiB, 1 client, three : three", "list-10k/1", "zkine3", "etcd3", 3),
	times("list of 10,000 x 1 KiB, 4 clients, three : three", "list-10k/4", "zkine3", "etcd3", 3),
	times("paged list of 100,000 by 500, whole, three : three", "paged-100k/1", "zkine3", "etcd3", 5),
	times("count of a 100,000-key prefix, three : three", "count-100k/10", "zkine3", "etcd3", 50),
	{what: "watch delivery, 1,000 watchers on one prefix, events/s, three : three", point: "watch/1000", of: itemsPerSecond, zkine: "zkine3", other: "etcd3", want: 3},
	atMost("put-to-event p99, 100 watchers, both at half of what the three etcds take", "watch-half/100", deliveryP99, "zkine3", "etcd3", 1),
	atMost("update p99.9, 10 clients, full load, three : three", "update/10", p999, "zkine3", "etcd3", 0.9),
	atMost("update p99.9, both at half of what the three etcds take", "update-half/100", p999, "zkine3", "etcd3", 1),
	atMost("update p99.9, each at half of what it takes itself", "update-half-own/100", p999, "zkine3", "etcd3", 0.8),
}

// row is the bar's line in the table, "" when it was not measured.
func (b bar) row(records []record) string {
	zkine, ok := median(records, b.point, b.zkine, b.of)
	other, ok2 := median(records, b.point, b.other, b.of)
	if !ok || !ok2 || other == 0 {
		return ""
	}
	ratio := zkine / other
	verdict, sign := "missed", "at least"
	if b.lower {
		sign = "at most"
	}
	if b.lower == (ratio <= b.want) || ratio == b.want {
		verdict = "**met**"
	}
	return fmt.Sprintf("| %s | %s %gx | %s | %s |\n", b.what, sign, b.want, number(ratio)+"x", verdict)
}
