package backend

import (
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/revision/recordpb"
)

const (
	// memoryBase is what a request takes besides its bytes: its messages, and the
	// call that waits for it.
	memoryBase = 1 << 10
	// memoryEach is what each operation and comparison of a transaction takes
	// besides: some are two bytes long as they come.
	memoryEach = 256
)

// memoryBytes is about what a request takes in memory, given its encoded size.
func memoryBytes(r *recordpb.Request, size int) int {
	return memoryBase + size + memoryEach*txnEntries(r.GetTxn())
}

// txnEntries counts the operations and comparisons of a transaction, and of those
// within it.
func txnEntries(r *pb.TxnRequest) int {
	n := len(r.GetCompare()) + len(r.GetSuccess()) + len(r.GetFailure())
	for _, ops := range [][]*pb.RequestOp{r.GetSuccess(), r.GetFailure()} {
		for _, op := range ops {
			if nested := op.GetRequestTxn(); nested != nil {
				n += txnEntries(nested)
			}
		}
	}
	return n
}
