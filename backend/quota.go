package backend

import (
	"context"

	"github.com/sirupsen/logrus"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision/recordpb"
)

// The quota bounds what a root holds in ZooKeeper. As in etcd, the member that
// accepts a write that would exceed it refuses that and raises the NOSPACE
// alarm, which is a record in the log: from there on all members refuse what
// costs space, at the same place, until somebody disarms the alarm. A size is
// what one member knows at one moment, and never decides at apply.

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

// admit is state.ErrNoSpace for a request that would exceed the quota; then
// the alarm is raised. What does not exceed it goes into the log, and is
// refused there while the alarm is raised.
func (b *Backend) admit(ctx context.Context, cost int64) error {
	quota := b.cfg.QuotaBytes
	if cost == 0 || quota < 0 || b.held()+cost < quota {
		return nil
	}
	// Those that find it full at once raise one alarm.
	select {
	case b.raising <- struct{}{}:
		defer func() { <-b.raising }()
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
	// What is known may be too much: another member may have packed or removed
	// some of it.
	b.measure(ctx)
	if b.held()+cost < quota {
		return nil
	}
	b.cfg.Log.WithFields(logrus.Fields{"bytes": b.size.Load(), "others": b.others.Load(), "quota": quota}).
		Error("ZooKeeper holds as much as --quota-backend-bytes allows: raising the alarm NOSPACE; see docs/maintenance.md")
	_, err := proposeUnsigned[*pb.AlarmResponse](ctx, b, &recordpb.Request{Kind: &recordpb.Request_Alarm{Alarm: &pb.AlarmRequest{
		Action: pb.AlarmRequest_ACTIVATE, Alarm: pb.AlarmType_NOSPACE, MemberID: b.cfg.Member.ID}}})
	if err != nil {
		return err
	}
	return state.ErrNoSpace
}

// held is what counts against the quota.
func (b *Backend) held() int64 { return b.size.Load() + b.others.Load() }

// cramped says whether more than half of the quota is used. Then a checkpoint
// with all keys new, beside the two before it and their log, could be more than
// the store has room for, which is twice the quota; so only one of them is kept.
func (b *Backend) cramped() bool { return b.cfg.QuotaBytes > 0 && b.held() > b.cfg.QuotaBytes/2 }

// spaceAlarm says whether the alarm is raised in the state as it is here.
func (b *Backend) spaceAlarm() bool {
	for _, a := range b.view.Load().Alarms() {
		if a.Alarm == pb.AlarmType_NOSPACE {
			return true
		}
	}
	return false
}
