package embedded

// What the heap of a lone server holds, and so how much data suits it.
//
//	base        the JVM's and ZooKeeper's own
//	committed   the last 501 transactions, whatever their size. ZooKeeper keeps them for followers that
//	            were away, a lone server too, and does not let commitLogCount be less than 500. Each is
//	            there three times: as the request that came, and as what was made of it
//	data        the tree: once, and once more while what it holds is rewritten (a checkpoint beside the
//	            one before and the log that it replaces)
//	the rest    a fifth for garbage, and for requests and replies under way
const (
	baseHeap        = 16 << 20
	committedCopies = 3 * 501
	// MinHeap is the smallest heap in bytes that makes sense.
	MinHeap = 160 << 20
)

// Room is how many bytes of data a lone server with this heap takes, if no request is larger than maxRequest. 0 if there
// is no room at all.
func Room(heap int64, maxRequest int) int64 {
	return max(0, heap/5*4-baseHeap-committed(maxRequest))
}

// Capacity is Room where a program rewrites the data, and so needs room for them twice.
func Capacity(heap int64, maxRequest int) int64 { return Room(heap, maxRequest) / 2 }

// HeapFor is the heap whose Capacity is this much data.
func HeapFor(data int64, maxRequest int) int64 {
	return (baseHeap+committed(maxRequest)+2*data)/4*5 + 10
}

// RequestFor is the size of requests whose transactions take a quarter of the heap.
func RequestFor(heap int64) int { return int(heap / 4 / committedCopies) }

// HeapWithRequestsFor is the heap whose Capacity is this much data if requests are RequestFor it, or maxRequest if that
// is less.
func HeapWithRequestsFor(data int64, maxRequest int) int64 {
	// 4/5 of it less 1/4 of it is 11/20 of it.
	return min(HeapFor(data, maxRequest), (baseHeap+2*data)/11*20+20)
}

func committed(maxRequest int) int64 { return committedCopies * int64(maxRequest) }
