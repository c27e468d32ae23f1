package differential

import (
	"strings"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// The functions of this file make equal what is known to differ and ought not to. Whoever mends a difference deletes
// its function.

// forgetReason: a watch from a negative revision is refused with "etcdserver: mvcc: required revision has been
// compacted" by etcd (v3rpc/watch.go, recvLoop), and without the first word by zkine.
func forgetReason(r *pb.WatchResponse) {
	r.CancelReason = strings.TrimPrefix(r.CancelReason, "etcdserver: ")
}
