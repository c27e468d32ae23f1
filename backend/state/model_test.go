package state

import (
	"bytes"
	"cmp"
	"slices"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/proto"
)

// model is the dumb twin of Machine: every version ever written, in a slice,
// and every question answered by looking at all of them. It knows nothing of
// trees, views or physical compaction, so that where both agree, the clever structures
// are right.
type model struct {
	rev, floor int64
	written    []written
	leases     map[int64]*modelLease
	full       map[uint64]bool // members that have raised NOSPACE
	applied    uint64
	auth       modelAuth
}

type written struct {
	kv  *mvccpb.KeyValue // no version if deleted
	sub int
}

func (w written) deleted() bool { return w.kv.Version == 0 }

type modelLease struct {
	ttl, remaining int64
	renewed        uint64
}

func newModel() *model {
	return &model{rev: 1, floor: -1, leases: map[int64]*modelLease{}, full: map[uint64]bool{}, auth: newModelAuth()}
}

// at is all keys as they were at rev, in order. Versions of a rev that is not
// complete yet count.
func (m *model) at(rev int64) []*mvccpb.KeyValue {
	newest := map[string]*mvccpb.KeyValue{}
	for _, w := range m.written {
		if w.kv.ModRevision > rev {
			continue
		}
		newest[string(w.kv.Key)] = w.kv
		if w.deleted() {
			delete(newest, string(w.kv.Key))
		}
	}
	var kvs []*mvccpb.KeyValue
	for _, kv := range newest {
		kvs = append(kvs, kv)
	}
	slices.SortFunc(kvs, func(a, b *mvccpb.KeyValue) int { return bytes.Compare(a.Key, b.Key) })
	return kvs
}

func (m *model) in(rev int64, key, end []byte) []*mvccpb.KeyValue {
	return slices.DeleteFunc(m.at(rev), func(kv *mvccpb.KeyValue) bool {
		switch {
		case len(end) == 0:
			return !bytes.Equal(kv.Key, key)
		case string(end) == "\x00":
			return bytes.Compare(kv.Key, key) < 0
		}
		return bytes.Compare(kv.Key, key) < 0 || bytes.Compare(kv.Key, end) >= 0
	})
}

// now is the revision of the newest version, which may be under way.
func (m *model) now() int64 {
	if n := len(m.written); n > 0 {
		return max(m.rev, m.written[n-1].kv.ModRevision)
	}
	return m.rev
}

func (m *model) get(key []byte) *mvccpb.KeyValue {
	for _, kv := range m.in(m.now(), key, nil) {
		return kv
	}
	return nil
}

func (m *model) write(kv *mvccpb.KeyValue) {
	kv.ModRevision = m.rev + 1
	sub := 0
	if n := len(m.written); n > 0 && m.written[n-1].kv.ModRevision == kv.ModRevision {
		sub = m.written[n-1].sub + 1
	}
	m.written = append(m.written, written{kv, sub})
}

func (m *model) header() *pb.ResponseHeader { return &pb.ResponseHeader{Revision: m.now()} }

func (m *model) rangeRequest(r *pb.RangeRequest) (*pb.RangeResponse, error) {
	rev := r.Revision
	if rev > m.now() {
		return nil, ErrFutureRev
	}
	if rev <= 0 {
		rev = m.now()
	}
	if rev < m.floor {
		return nil, ErrCompacted
	}
	kvs := m.in(rev, r.Key, r.RangeEnd)
	resp := &pb.RangeResponse{Header: m.header(), Count: int64(len(kvs))}
	if r.CountOnly {
		return resp, nil
	}
	filtered := r.MinModRevision != 0 || r.MaxModRevision != 0 || r.MinCreateRevision != 0 || r.MaxCreateRevision != 0
	if r.SortTarget != pb.RangeRequest_KEY && r.SortOrder == pb.RangeRequest_NONE && r.Limit > 0 && !filtered {
		kvs = kvs[:min(int64(len(kvs)), r.Limit+1)] // the quirk: cut, then sorted
	}
	kvs = slices.DeleteFunc(kvs, func(kv *mvccpb.KeyValue) bool {
		return r.MinModRevision != 0 && kv.ModRevision < r.MinModRevision ||
			r.MaxModRevision != 0 && kv.ModRevision > r.MaxModRevision ||
			r.MinCreateRevision != 0 && kv.CreateRevision < r.MinCreateRevision ||
			r.MaxCreateRevision != 0 && kv.CreateRevision > r.MaxCreateRevision
	})
	slices.SortStableFunc(kvs, func(a, b *mvccpb.KeyValue) int {
		c := map[pb.RangeRequest_SortTarget]int{
			pb.RangeRequest_KEY:     bytes.Compare(a.Key, b.Key),
			pb.RangeRequest_VERSION: cmp.Compare(a.Version, b.Version),
			pb.RangeRequest_CREATE:  cmp.Compare(a.CreateRevision, b.CreateRevision),
			pb.RangeRequest_MOD:     cmp.Compare(a.ModRevision, b.ModRevision),
			pb.RangeRequest_VALUE:   bytes.Compare(a.Value, b.Value),
		}[r.SortTarget]
		if r.SortOrder == pb.RangeRequest_DESCEND {
			return -c
		}
		return c
	})
	if r.Limit > 0 && int64(len(kvs)) > r.Limit {
		kvs, resp.More = kvs[:r.Limit], true
	}
	for _, kv := range kvs {
		kv = proto.Clone(kv).(*mvccpb.KeyValue)
		if r.KeysOnly {
			kv.Value = nil
		}
		resp.Kvs = append(resp.Kvs, kv)
	}
	return resp, nil
}

func (m *model) checkPut(r *pb.PutRequest, exists bool) error {
	if r.Lease != 0 && m.leases[r.Lease] == nil {
		return ErrLeaseNotFound
	}
	if (r.IgnoreLease || r.IgnoreValue) && !exists {
		return ErrKeyNotFound
	}
	return nil
}

func (m *model) put(r *pb.PutRequest) *pb.PutResponse {
	kv := &mvccpb.KeyValue{Key: r.Key, Value: r.Value, Lease: r.Lease, CreateRevision: m.rev + 1, Version: 1}
	resp := &pb.PutResponse{}
	if old := m.get(r.Key); old != nil {
		kv.CreateRevision, kv.Version = old.CreateRevision, old.Version+1
		if r.IgnoreValue {
			kv.Value = old.Value
		}
		if r.IgnoreLease {
			kv.Lease = old.Lease
		}
		if r.PrevKv {
			resp.PrevKv = old
		}
	}
	m.write(kv)
	resp.Header = m.header()
	return resp
}

func (m *model) deleteRange(r *pb.DeleteRangeRequest) *pb.DeleteRangeResponse {
	kvs := m.in(m.now(), r.Key, r.RangeEnd)
	resp := &pb.DeleteRangeResponse{Deleted: int64(len(kvs))}
	if r.PrevKv {
		resp.PrevKvs = kvs
	}
	for _, kv := range kvs {
		m.write(&mvccpb.KeyValue{Key: kv.Key})
	}
	resp.Header = m.header()
	return resp
}

func (m *model) holds(c *pb.Compare) bool {
	kvs := m.in(m.rev, c.Key, c.RangeEnd)
	if len(kvs) == 0 {
		if c.Target == pb.Compare_VALUE {
			return false
		}
		kvs = append(kvs, &mvccpb.KeyValue{})
	}
	return !slices.ContainsFunc(kvs, func(kv *mvccpb.KeyValue) bool {
		var order int
		switch c.Target {
		case pb.Compare_VERSION:
			order = cmp.Compare(kv.Version, c.GetVersion())
		case pb.Compare_CREATE:
			order = cmp.Compare(kv.CreateRevision, c.GetCreateRevision())
		case pb.Compare_MOD:
			order = cmp.Compare(kv.ModRevision, c.GetModRevision())
		case pb.Compare_VALUE:
			order = bytes.Compare(kv.Value, c.GetValue())
		case pb.Compare_LEASE:
			order = cmp.Compare(kv.Lease, c.GetLease())
		}
		return !map[pb.Compare_CompareResult]bool{
			pb.Compare_EQUAL: order == 0, pb.Compare_NOT_EQUAL: order != 0,
			pb.Compare_GREATER: order > 0, pb.Compare_LESS: order < 0,
		}[c.Result]
	})
}

// settle replaces what is not on the path by nothing: what is left of the
// transaction is its operations, nested ones as they will be carried out.
func (m *model) settle(r *pb.TxnRequest) *pb.TxnRequest {
	ops, held := r.Failure, true
	for _, c := range r.Compare {
		held = held && m.holds(c)
	}
	settled := &pb.TxnRequest{}
	if held {
		ops = r.Success
		settled.Compare = []*pb.Compare{{}} // stands for: held
	}
	for _, op := range ops {
		if nested := op.GetRequestTxn(); nested != nil {
			op = &pb.RequestOp{Request: &pb.RequestOp_RequestTxn{RequestTxn: m.settle(nested)}}
		}
		settled.Success = append(settled.Success, op)
	}
	return settled
}

func (m *model) check(settled *pb.TxnRequest, deleted *[]*pb.DeleteRangeRequest) error {
	for _, op := range settled.Success {
		var err error
		switch r := op.Request.(type) {
		case *pb.RequestOp_RequestRange:
			switch rev := r.RequestRange.Revision; {
			case rev > m.rev:
				err = ErrFutureRev
			case rev != 0 && rev < m.floor:
				err = ErrCompacted
			}
		case *pb.RequestOp_RequestPut:
			exists := m.get(r.RequestPut.Key) != nil
			for _, d := range *deleted {
				exists = exists && !newSpan(d.Key, d.RangeEnd).contains(string(r.RequestPut.Key))
			}
			err = m.checkPut(r.RequestPut, exists)
		case *pb.RequestOp_RequestDeleteRange:
			*deleted = append(*deleted, r.RequestDeleteRange)
		case *pb.RequestOp_RequestTxn:
			err = m.check(r.RequestTxn, deleted)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (m *model) execute(settled *pb.TxnRequest) *pb.TxnResponse {
	resp := &pb.TxnResponse{Header: &pb.ResponseHeader{}, Succeeded: len(settled.Compare) > 0}
	for _, op := range settled.Success {
		out := &pb.ResponseOp{}
		switch r := op.Request.(type) {
		case *pb.RequestOp_RequestRange:
			got, err := m.rangeRequest(r.RequestRange)
			if err != nil {
				panic(err)
			}
			out.Response = &pb.ResponseOp_ResponseRange{ResponseRange: got}
		case *pb.RequestOp_RequestPut:
			out.Response = &pb.ResponseOp_ResponsePut{ResponsePut: m.put(r.RequestPut)}
		case *pb.RequestOp_RequestDeleteRange:
			out.Response = &pb.ResponseOp_ResponseDeleteRange{ResponseDeleteRange: m.deleteRange(r.RequestDeleteRange)}
		case *pb.RequestOp_RequestTxn:
			out.Response = &pb.ResponseOp_ResponseTxn{ResponseTxn: m.execute(r.RequestTxn)}
		}
		resp.Responses = append(resp.Responses, out)
	}
	return resp
}
