package backend

import (
	"context"
	"sync/atomic"

	"github.com/sirupsen/logrus"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision/recordpb"
)

// The quota bounds what a root holds in ZooKeeper. As in etcd, the member that
// accepts a write that would exceed it refuses that and raises the NOSPACE
// alarm, which is a record in the log: from there on all members refuse what
// costs space, at the same place, until the alarm is disarmed. A size is
// what one member knows at one moment, so it never decides at apply.

// DefaultQuotaBytes is etcd's.
const DefaultQuotaBytes = 2 << 30

// What a request is reckoned to take besides its bytes; etcd's figures, from
// storage/quota.go.
const (
	keyOverhead   = 256
	leaseOverhead = 64
)

func putCost(r *pb.PutRequest) int64 {
	return int64(keyOverhead + len(r.GetKey()) + len(r.GetValue()))
}

// txnCost is that of the dearer branch. As etcd reckons, nested transactions
// count nothing: their puts are refused at apply, once the alarm is raised.
func txnCost(r *pb.TxnRequest) int64 {
	return max(branchCost(r.GetSuccess()), branchCost(r.GetFailure()))
}

func branchCost(ops []*pb.RequestOp) (sum int64) {
	for _, op := range ops {
		if put := op.GetRequestPut(); put != nil {
			sum += putCost(put)
		}
	}
	return sum
}

// quota is what counts against the bound.
type quota struct {
	// limit is in bytes; negative for no bound.
	limit int64
	// size is how many bytes the root holds, as of the last slot or measurement.
	size atomic.Int64
	// others is how many bytes the store holds besides, as of the last
	// measurement.
	others atomic.Int64
	// raising is held by the call that raises the alarm NOSPACE.
	raising chan struct{}
}

func newQuota(limit int64) *quota { return &quota{limit: limit, raising: make(chan struct{}, 1)} }

// used is how many bytes count against the quota.
func (q *quota) used() int64 { return q.size.Load() + q.others.Load() }

// exceeded says whether a request of this cost would exceed the quota.
func (q *quota) exceeded(cost int64) bool { return q.limit >= 0 && q.used()+cost >= q.limit }

// SetSize, SetOthers and Cramped implement housekeep.Quota.

func (q *quota) SetSize(bytes int64)   { q.size.Store(bytes) }
func (q *quota) SetOthers(bytes int64) { q.others.Store(bytes) }

// Cramped says whether more than half of the quota is used. Then a checkpoint
// with all keys new, beside the two before it and their log, could be more than
// the store has room for, which is twice the quota; so only one of them is kept.
func (q *quota) Cramped() bool { return q.limit > 0 && q.used() > q.limit/2 }

// admit is state.ErrNoSpace for a request that would exceed the quota; then
// the alarm is raised. A request that does not exceed it goes into the log, and is
// refused there while the alarm is raised.
func (b *Backend) admit(ctx context.Context, cost int64) error {
	if cost == 0 || !b.quota.exceeded(cost) {
		return nil
	}
	// Those that find it full at once raise one alarm.
	select {
	case b.quota.raising <- struct{}{}:
		defer func() { <-b.quota.raising }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	// Another member may just have made room, and the alarm been disarmed.
	if err := b.reads.wait(ctx); err != nil {
		return err
	}
	if b.spaceAlarm() {
		return state.ErrNoSpace
	}
	// The size that is known may be too large: another member may have packed or
	// removed some of it.
	b.housekeeper.Measure(ctx)
	if !b.quota.exceeded(cost) {
		return nil
	}
	b.cfg.Log.WithFields(logrus.Fields{"bytes": b.quota.size.Load(), "others": b.quota.others.Load(), "quota": b.quota.limit}).
		Error("ZooKeeper holds as much as --quota-backend-bytes allows: raising the alarm NOSPACE; see docs/maintenance.md")
	_, err := proposeUnsigned[*pb.AlarmResponse](ctx, b.proposer, &recordpb.Request{Kind: &recordpb.Request_Alarm{Alarm: &pb.AlarmRequest{
		Action: pb.AlarmRequest_ACTIVATE, Alarm: pb.AlarmType_NOSPACE, MemberID: b.cfg.Member.ID}}})
	if err != nil {
		return err
	}
	return state.ErrNoSpace
}

// spaceAlarm says whether the alarm is raised in the state as it is here.
func (b *Backend) spaceAlarm() bool {
	for _, a := range b.view.Load().Alarms() {
		if a.Alarm == pb.AlarmType_NOSPACE {
			return true
		}
	}
	return false
}

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

// mostQuick is how many operations a request may have that is applied on the goroutine
// that reads from ZooKeeper: it reads nothing else for as long.
const mostQuick = 64

// isQuick says whether a request is about single keys or leases: what it takes does not
// grow with the state.
func isQuick(r *recordpb.Request) bool {
	switch {
	case r.GetPut() != nil, r.GetLeaseRenew() != nil, r.GetLeaseGrant() != nil:
		return true
	case r.GetTxn() != nil:
		return isQuickTxn(r.GetTxn())
	default:
		return false
	}
}

func isQuickTxn(txn *pb.TxnRequest) bool {
	if txnEntries(txn) > mostQuick {
		return false
	}
	for _, c := range txn.Compare {
		if len(c.RangeEnd) > 0 {
			return false
		}
	}
	for _, ops := range [][]*pb.RequestOp{txn.Success, txn.Failure} {
		for _, op := range ops {
			if op.GetRequestTxn() != nil || len(op.GetRequestRange().GetRangeEnd()) > 0 || len(op.GetRequestDeleteRange().GetRangeEnd()) > 0 {
				return false
			}
		}
	}
	return true
}
