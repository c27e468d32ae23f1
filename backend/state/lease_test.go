package state

import (
	"slices"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/revision/recordpb"
)

// TestLeaseLife follows a lease, and what the machine tells of it.
func TestLeaseLife(t *testing.T) {
	b := newBench(t)
	last := func(message any) []LeaseChange {
		t.Helper()
		a := b.Apply(b.slot(request(message)))
		if a.Results[0].Err != nil {
			t.Fatal(a.Results[0].Err)
		}
		return a.Leases
	}
	expect := func(got []LeaseChange, want ...LeaseChange) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Fatalf("%+v, want %+v", got, want)
		}
	}
	expect(last(&pb.LeaseGrantRequest{ID: 5, TTL: 60}), LeaseChange{ID: 5, Kind: Granted, TTL: 60, Renewed: 1})
	b.fails(&pb.LeaseGrantRequest{ID: 5, TTL: 9}, ErrLeaseExists)
	b.fails(&pb.LeaseGrantRequest{TTL: 9}, ErrLeaseNotFound)
	b.fails(&pb.LeaseGrantRequest{ID: 6, TTL: MaxLeaseTTL + 1}, ErrLeaseTTLTooLarge)
	expect(last(&recordpb.LeaseRemaining{Id: 5, Renewed: 1, RemainingTtl: 40}),
		LeaseChange{ID: 5, Kind: Remaining, TTL: 60, Remaining: 40, Renewed: 1})
	expect(last(&recordpb.LeaseRenew{Id: 5}), LeaseChange{ID: 5, Kind: Renewed, TTL: 60, Renewed: 6})
	expect(last(&recordpb.LeaseRemaining{Id: 5, Renewed: 1, RemainingTtl: 30}))
	expect(last(&recordpb.LeaseExpire{Id: 5, Renewed: 1}))
	expect(last(&recordpb.LeaseExpire{Id: 4, Renewed: 1}))
	if l, ok := b.View().Lease(5); !ok || l.Remaining != 0 || l.Renewed != 6 || l.TTL != 60 {
		t.Fatalf("%+v, %v", l, ok)
	}
	b.ok(&pb.PutRequest{Key: key, Lease: 5})
	expect(last(&recordpb.LeaseExpire{Id: 5, Renewed: 6}), LeaseChange{ID: 5, Kind: Revoked, TTL: 60, Renewed: 6})
	if b.View().NumKeys() != 0 || b.View().Rev() != 3 {
		t.Errorf("%d keys at revision %d", b.View().NumKeys(), b.View().Rev())
	}
	b.fails(&pb.LeaseRevokeRequest{ID: 5}, ErrLeaseNotFound)
	b.fails(&pb.PutRequest{Key: key, Lease: 5}, ErrLeaseNotFound)
	if resp := b.ok(&recordpb.LeaseRenew{Id: 5}).(*pb.LeaseKeepAliveResponse); resp.TTL != 0 || resp.ID != 5 {
		t.Errorf("renewed: %v", resp)
	}
	// An expiry of an earlier lifetime does not meet a later one.
	b.ok(&pb.LeaseGrantRequest{ID: 5, TTL: 60})
	expect(last(&recordpb.LeaseExpire{Id: 5, Renewed: 6}))
}

// TestLeaseKeys attaches and detaches: what a revocation deletes, and how.
func TestLeaseKeys(t *testing.T) {
	b := newBench(t)
	b.ok(&pb.LeaseGrantRequest{ID: 1, TTL: 60})
	b.ok(&pb.LeaseGrantRequest{ID: -2, TTL: 60})
	for _, k := range []string{"d", "b", "moved", "c", "freed", "deleted", "a", "kept"} {
		b.ok(&pb.PutRequest{Key: []byte(k), Lease: 1})
	}
	b.ok(&pb.PutRequest{Key: []byte("moved"), Lease: -2})
	b.ok(&pb.PutRequest{Key: []byte("freed")})
	b.ok(&pb.PutRequest{Key: []byte("kept"), IgnoreLease: true})
	b.ok(&pb.DeleteRangeRequest{Key: []byte("deleted")})
	b.ok(&pb.PutRequest{Key: []byte("deleted")})
	before := b.View()
	resp := b.ok(&pb.LeaseRevokeRequest{ID: 1}).(*pb.LeaseRevokeResponse)
	v := b.View()
	if v.Rev() != before.Rev()+1 || resp.Header.Revision != int64(v.Rev()) {
		t.Errorf("revision %d, in the header %d, before %d", v.Rev(), resp.Header.Revision, before.Rev())
	}
	var deleted []string
	c, _ := v.Change(v.Rev())
	for _, e := range c.Events {
		deleted = append(deleted, e.Key())
	}
	if want := []string{"a", "b", "c", "d", "kept"}; !slices.Equal(deleted, want) {
		t.Errorf("deleted %q, want %q", deleted, want)
	}
	l, _ := v.Lease(-2)
	if keys := slices.Collect(l.Keys()); !slices.Equal(keys, []string{"moved"}) {
		t.Errorf("the other lease has %q", keys)
	}
	// The old view still has the lease, with its keys.
	l, ok := before.Lease(1)
	if keys := slices.Collect(l.Keys()); !ok || !slices.Equal(keys, deleted) {
		t.Errorf("the old view has %q", keys)
	}
	b.ok(&pb.LeaseRevokeRequest{ID: -2})
	if b.View().NumKeys() != 2 {
		t.Errorf("%d keys are left", b.View().NumKeys())
	}
}

// TestAlarms: what NOSPACE and CORRUPT refuse.
func TestAlarms(t *testing.T) {
	put := &pb.PutRequest{Key: key}
	readOnly := &pb.TxnRequest{Success: []*pb.RequestOp{opRange(&pb.RangeRequest{Key: key})}}
	deletes := &pb.TxnRequest{Success: []*pb.RequestOp{opDelete(&pb.DeleteRangeRequest{Key: key})}}
	puts := &pb.TxnRequest{Failure: []*pb.RequestOp{opTxn(&pb.TxnRequest{Success: []*pb.RequestOp{opPut(put)}})}}
	raise := func(action pb.AlarmRequest_AlarmAction, kind pb.AlarmType) *pb.AlarmRequest {
		return &pb.AlarmRequest{Action: action, MemberID: 3, Alarm: kind}
	}
	b := newBench(t)
	b.ok(put)
	b.ok(&pb.LeaseGrantRequest{ID: 1, TTL: 60})
	b.ok(raise(pb.AlarmRequest_ACTIVATE, pb.AlarmType_NONE))
	b.ok(raise(pb.AlarmRequest_ACTIVATE, pb.AlarmType_NOSPACE))
	b.ok(raise(pb.AlarmRequest_ACTIVATE, pb.AlarmType_NOSPACE))
	if alarms := b.View().Alarms(); len(alarms) != 1 || alarms[0].MemberID != 3 {
		t.Fatalf("alarms %v", alarms)
	}
	for _, r := range []any{put, puts, &pb.LeaseGrantRequest{ID: 2, TTL: 60}} {
		b.fails(r, ErrNoSpace)
	}
	for _, r := range []any{readOnly, deletes, &pb.DeleteRangeRequest{Key: key}, &recordpb.LeaseRenew{Id: 1},
		&pb.CompactionRequest{Revision: 1}} {
		b.ok(r)
	}
	b.ok(raise(pb.AlarmRequest_ACTIVATE, pb.AlarmType_CORRUPT))
	for _, r := range []any{put, puts, readOnly, deletes, &pb.DeleteRangeRequest{Key: key},
		&pb.LeaseGrantRequest{ID: 2}, &pb.LeaseRevokeRequest{ID: 1}, &pb.CompactionRequest{Revision: 2}} {
		b.fails(r, ErrCorrupt)
	}
	if resp := b.ok(raise(pb.AlarmRequest_GET, pb.AlarmType_NONE)).(*pb.AlarmResponse); len(resp.Alarms) != 2 {
		t.Errorf("alarms %v", resp.Alarms)
	}
	b.ok(raise(pb.AlarmRequest_DEACTIVATE, pb.AlarmType_CORRUPT))
	b.ok(raise(pb.AlarmRequest_DEACTIVATE, pb.AlarmType_NOSPACE))
	b.ok(raise(pb.AlarmRequest_DEACTIVATE, pb.AlarmType_NOSPACE))
	b.ok(put)
}

// TestCompaction: the floor, from a fresh store on.
func TestCompaction(t *testing.T) {
	b := newBench(t)
	b.fails(&pb.CompactionRequest{Revision: -1}, ErrCompacted)
	b.fails(&pb.CompactionRequest{Revision: 2}, ErrFutureRev)
	b.ok(&pb.CompactionRequest{})
	b.fails(&pb.CompactionRequest{}, ErrCompacted)
	b.ok(&pb.CompactionRequest{Revision: 1})
	for range 5 {
		b.ok(&pb.PutRequest{Key: key})
	}
	resp := b.ok(&pb.CompactionRequest{Revision: 4}).(*pb.CompactionResponse)
	if resp.Header.Revision != 6 {
		t.Errorf("revision %d in the header", resp.Header.Revision)
	}
	v := b.View()
	for rev, want := range map[int64]error{3: ErrCompacted, 4: nil, 6: nil, 7: ErrFutureRev, 0: nil, -3: nil} {
		if _, err := v.Range(&pb.RangeRequest{Key: key, Revision: rev}); err != want {
			t.Errorf("range at %d: %v, want %v", rev, err, want)
		}
	}
	floor, _ := v.Change(4)
	if e := floor.Events[0].Proto(true, v.CompactRev()); e.PrevKv != nil {
		t.Errorf("the event at the floor has a value before: %v", e)
	}
	above, _ := v.Change(5)
	if e := above.Events[0].Proto(true, v.CompactRev()); e.PrevKv.GetModRevision() != 4 {
		t.Errorf("the event above the floor: %v", e)
	}
	if e := above.Events[0].Proto(false, v.CompactRev()); e.PrevKv != nil {
		t.Errorf("a value before that nobody asked for: %v", e)
	}
}
