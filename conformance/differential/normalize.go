package differential

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/proto"
)

// normalize makes equal what may differ between two servers that do the same.
func normalize(request, response proto.Message) {
	if r, ok := response.(interface{ GetHeader() *pb.ResponseHeader }); ok && r.GetHeader() != nil {
		h := r.GetHeader()
		h.ClusterId, h.MemberId, h.RaftTerm = 0, 0, 0
	}
	switch r := response.(type) {
	case *pb.RangeResponse:
		normalizeOrder(request.(*pb.RangeRequest), r)
	case *pb.TxnResponse:
		normalizeTxn(request.(*pb.TxnRequest), r)
	case *pb.LeaseTimeToLiveResponse:
		r.TTL = min(r.TTL, 1)                  // what is left depends on the time
		slices.SortFunc(r.Keys, bytes.Compare) // etcd takes them from a map
	case *pb.AlarmResponse:
		// etcd takes them from a map.
		slices.SortFunc(r.Alarms, func(a, b *pb.AlarmMember) int {
			return cmp.Or(cmp.Compare(a.MemberID, b.MemberID), cmp.Compare(a.Alarm, b.Alarm))
		})
	case *pb.StatusResponse:
		normalizeStatus(r)
	case *pb.LeaseLeasesResponse:
		// By expiry, which depends on the time.
		slices.SortFunc(r.Leases, func(a, b *pb.LeaseStatus) int { return cmp.Compare(a.ID, b.ID) })
	}
}

// normalizeStatus leaves out what is about a server's own database and log; an etcd that has just started has not raised
// its storage version yet. Alarms come from a map, and one or two
// spaces stand in their texts, as etcd's build decides.
func normalizeStatus(r *pb.StatusResponse) {
	r.DbSize, r.DbSizeInUse, r.DbSizeQuota, r.Leader, r.RaftTerm, r.RaftIndex, r.RaftAppliedIndex = 0, 0, 0, 0, 0, 0, 0
	r.StorageVersion = ""
	for i, e := range r.Errors {
		r.Errors[i] = strings.Join(strings.Fields(e), " ")
	}
	slices.Sort(r.Errors)
}

func normalizeTxn(request *pb.TxnRequest, response *pb.TxnResponse) {
	branch := request.Failure
	if response.Succeeded {
		branch = request.Success
	}
	for i, r := range response.Responses {
		switch u := r.Response.(type) {
		case *pb.ResponseOp_ResponseRange:
			normalizeOrder(branch[i].GetRequestRange(), u.ResponseRange)
		case *pb.ResponseOp_ResponseTxn:
			normalizeTxn(branch[i].GetRequestTxn(), u.ResponseTxn)
		}
	}
}

// normalizeOrder orders keys by their names where they are equal in what they were sorted by, which etcd leaves to
// chance; of the last such group, if a limit may have cut it, only the number is kept.
func normalizeOrder(request *pb.RangeRequest, response *pb.RangeResponse) {
	if request.SortTarget == pb.RangeRequest_KEY || len(response.Kvs) == 0 {
		return
	}
	tied := func(a, b *mvccpb.KeyValue) bool {
		switch request.SortTarget {
		case pb.RangeRequest_VERSION:
			return a.Version == b.Version
		case pb.RangeRequest_CREATE:
			return a.CreateRevision == b.CreateRevision
		case pb.RangeRequest_MOD:
			return a.ModRevision == b.ModRevision
		default:
			return bytes.Equal(a.Value, b.Value)
		}
	}
	for rest := response.Kvs; len(rest) > 0; {
		n := slices.IndexFunc(rest, func(kv *mvccpb.KeyValue) bool { return !tied(kv, rest[0]) })
		if n < 0 {
			n = len(rest)
		}
		slices.SortFunc(rest[:n], func(a, b *mvccpb.KeyValue) int { return bytes.Compare(a.Key, b.Key) })
		if n == len(rest) && response.More {
			for i := range rest {
				rest[i] = &mvccpb.KeyValue{}
			}
		}
		rest = rest[n:]
	}
}
