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
	times("update throughput, 100 clients, three : three", "update/100", "zkine3", "etcd3", 2.5),
	times("update throughput, 400 clients, three : three", "update/400", "zkine3", "etcd3", 2.5),
	times("update throughput, 100 clients, one : one", "update/100", "zkine1", "etcd1", 1.3),
	times("update throughput, 400 clients, one : one", "update/400", "zkine1", "etcd1", 1.3),
	times("update throughput, 100 clients, ZooKeeper by TLS with ACLs : plain, three ZooKeepers", "update/100", "zkine3-tls", "zkine3", 0.9),
	atMost("one client, sequential update, p50, three : three", "update/1", p50, "zkine3", "etcd3", 1),
	atMost("one client p50 : bare ZooKeeper multi of the same bytes, one server", "update/1", p50, "zkine1", "bare1", 1.25),
	atMost("one client p50 : bare ZooKeeper multi of the same bytes, three servers", "update/1", p50, "zkine3", "bare3", 1.25),
	times("update throughput, 1 client : kine, synchronous=FULL", "update/1", "zkine1", "kine-full", 5),
	times("update throughput, 100 clients : kine, synchronous=FULL", "update/100", "zkine1", "kine-full", 5),
	times("update throughput, 400 clients : kine, synchronous=FULL", "update/400", "zkine1", "kine-full", 5),
	times("update throughput, 100 clients, three ZooKeepers : kine, synchronous=FULL", "update/100", "zkine3", "kine-full", 5),
	times("linearizable get, 100 clients, three : three", "get/100", "zkine3", "etcd3", 2),
	times("serializable get, 100 clients, three : three", "get-serial/100", "zkine3", "etcd3", 1.3),
	times("list of 10,000 x 1 KiB, 1 client, three : three", "list-10k/1", "zkine3", "etcd3", 3),
	times("list of 10,000 x 1 KiB, 4 clients, three : three", "list-10k/4", "zkine3", "etcd3", 3),
	times("paged list of 100,000 by 500, whole, three : three", "paged-100k/1", "zkine3", "etcd3", 5),
	times("count of a 100,000-key prefix, three : three", "count-100k/10", "zkine3", "etcd3", 50),
	{what: "watch delivery, 1,000 watchers on one prefix, events/s, three : three", point: "watch/1000", of: itemsPerSecond, zkine: "zkine3", other: "etcd3", want: 3},
	atMost("put-to-event p99, 100 watchers, both at half of what the three etcds take", "watch-half/100", deliveryP99, "zkine3", "etcd3", 1),
	atMost("update p99.9, both at half of what the three etcds take", "update-half/100", p999, "zkine3", "etcd3", 1),
	atMost("update p99.9, each at half of what it takes itself", "update-half-own/100", p999, "zkine3", "etcd3", 1),
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
