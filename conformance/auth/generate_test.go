package auth

import (
	"math/rand/v2"
	"strings"

	"go.etcd.io/etcd/api/v3/authpb"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"
)

// generator makes up requests. Users, roles and keys are few, so that requests meet.
type generator struct {
	*rand.Rand
}

var (
	users     = []string{"root", "alice", "bob", "carol", "nobody"}
	roles     = []string{"root", "r1", "r2", "r3"}
	passwords = []string{"p", "p", "p", "p", "q", "", strings.Repeat("x", 73)}
	keys      = []string{"a", "a\x00", "b", "b1", "c", "d", "\x00", "\xff"}
	leases    = []int64{1, 2, 3, 9}
)

func pick[T any](g *generator, from []T) T { return from[g.IntN(len(from))] }

// one says yes once in n times.
func (g *generator) one(n int) bool { return g.IntN(n) == 0 }

func (g *generator) user() string {
	if g.one(20) {
		return ""
	}
	return pick(g, users)
}

func (g *generator) role() string {
	if g.one(20) {
		return ""
	}
	return pick(g, roles)
}

func (g *generator) key() []byte { return []byte(pick(g, keys)) }

func (g *generator) end() []byte {
	switch g.IntN(4) {
	case 0:
		return g.key()
	case 1:
		return []byte{0}
	}
	return nil
}

// setup is what enables authentication, for a start, and gives some users something that they may do.
func setup() []request {
	requests := []request{
		{"", &pb.AuthEnableRequest{}},
		{"", &pb.AuthUserAddRequest{Name: "root", Password: "p"}},
		{"", &pb.AuthEnableRequest{}},
		{"", &pb.AuthRoleAddRequest{Name: "root"}},
		{"", &pb.AuthUserGrantRoleRequest{User: "root", Role: "root"}},
		{"", &pb.AuthEnableRequest{}},
		{"", &pb.AuthenticateRequest{Name: "root", Password: "p"}},
	}
	for i, user := range []struct {
		name string
		may  authpb.Permission_Type
		key  string
	}{{"alice", authpb.Permission_READWRITE, "a"}, {"bob", authpb.Permission_WRITE, "b"}, {"carol", authpb.Permission_READ, "\x00"}} {
		perm := &authpb.Permission{PermType: user.may, Key: []byte(user.key), RangeEnd: []byte("c")}
		requests = append(requests,
			request{"root", &pb.AuthUserAddRequest{Name: user.name, Password: "p"}},
			request{"root", &pb.AuthRoleAddRequest{Name: roles[1+i]}},
			request{"root", &pb.AuthRoleGrantPermissionRequest{Name: roles[1+i], Perm: perm}},
			request{"root", &pb.AuthUserGrantRoleRequest{User: user.name, Role: roles[1+i]}})
	}
	for _, user := range users {
		requests = append(requests, request{"", &pb.AuthenticateRequest{Name: user, Password: "p"}})
	}
	for i, key := range []string{"a", "b", "d"} { // leases that some users must leave alone
		requests = append(requests, request{"root", &pb.LeaseGrantRequest{ID: leases[i], TTL: 9000}},
			request{"root", &pb.PutRequest{Key: []byte(key), Lease: leases[i]}})
	}
	return requests
}

// next is a few requests that belong together.
func (g *generator) next() []request {
	as := g.user()
	switch g.IntN(25) {
	case 0:
		as = "*"
	case 1:
		as = "**"
	}
	switch n := g.IntN(100); {
	case n < 14:
		return []request{{as, &pb.AuthenticateRequest{Name: g.user(), Password: pick(g, passwords)}}}
	case n < 35:
		if g.one(2) {
			as = "root"
		}
		return []request{{as, g.change()}}
	case n < 45:
		return []request{{as, g.look()}}
	case n < 47: // off, and on again sooner or later
		return []request{{as, &pb.AuthDisableRequest{}}, {as, g.change()}, {"", &pb.AuthEnableRequest{}},
			{"", &pb.AuthenticateRequest{Name: "root", Password: "p"}}}
	case n < 55:
		return []request{{as, g.maintenance()}}
	case n < 65:
		return []request{{as, g.lease()}}
	default:
		return []request{{as, g.data()}}
	}
}

func (g *generator) change() proto.Message {
	switch g.IntN(12) {
	case 0, 1:
		return &pb.AuthUserAddRequest{Name: g.user(), Password: pick(g, passwords), Options: g.options()}
	case 2:
		return &pb.AuthUserChangePasswordRequest{Name: g.user(), Password: pick(g, passwords), HashedPassword: pick(g, []string{"", "", "???", "cA=="})}
	case 3, 4:
		return &pb.AuthUserGrantRoleRequest{User: g.user(), Role: g.role()}
	case 5:
		return &pb.AuthUserRevokeRoleRequest{Name: g.user(), Role: g.role()}
	case 6:
		if g.one(3) {
			return &pb.AuthUserDeleteRequest{Name: g.user()}
		}
		return &pb.AuthRoleDeleteRequest{Role: g.role()}
	case 7:
		return &pb.AuthRoleAddRequest{Name: g.role()}
	case 8:
		return &pb.AuthRoleRevokePermissionRequest{Role: g.role(), Key: g.key(), RangeEnd: g.end()}
	}
	r := &pb.AuthRoleGrantPermissionRequest{Name: g.role(), Perm: &authpb.Permission{
		PermType: authpb.Permission_Type(g.IntN(3)), Key: g.key(), RangeEnd: g.end(),
	}}
	if g.one(20) {
		r.Perm.Key = nil
	}
	if g.one(20) {
		r.Perm = nil
	}
	return r
}

func (g *generator) options() *authpb.UserAddOptions {
	if g.one(2) {
		return nil
	}
	return &authpb.UserAddOptions{NoPassword: g.one(3)}
}

func (g *generator) look() proto.Message {
	switch g.IntN(6) {
	case 0:
		return &pb.AuthUserListRequest{}
	case 1:
		return &pb.AuthRoleListRequest{}
	case 2:
		return &pb.AuthStatusRequest{}
	case 3:
		return &pb.AuthUserGetRequest{Name: g.user()}
	}
	return &pb.AuthRoleGetRequest{Role: g.role()}
}

func (g *generator) maintenance() proto.Message {
	return pick(g, []proto.Message{
		&pb.StatusRequest{}, &pb.MemberListRequest{}, &pb.MemberListRequest{Linearizable: true},
		&pb.AlarmRequest{}, &pb.AlarmRequest{Action: pb.AlarmRequest_DEACTIVATE, Alarm: pb.AlarmType_NOSPACE},
		&pb.DefragmentRequest{}, &pb.HashRequest{}, &pb.HashKVRequest{}, &pb.MoveLeaderRequest{TargetID: 9},
		&pb.DowngradeRequest{Action: pb.DowngradeRequest_CANCEL}, &pb.SnapshotRequest{},
		&pb.MemberRemoveRequest{ID: 9}, &pb.MemberUpdateRequest{ID: 9, PeerURLs: []string{"http://127.0.0.1:1"}}, &pb.MemberPromoteRequest{ID: 9},
	})
}

func (g *generator) lease() proto.Message {
	switch g.IntN(6) {
	case 0:
		return &pb.LeaseGrantRequest{ID: pick(g, leases[:3]), TTL: pick(g, []int64{9000, 9000, 9_000_000_001})}
	case 1:
		return &pb.LeaseRevokeRequest{ID: pick(g, leases)}
	case 2:
		return &pb.LeaseKeepAliveRequest{ID: pick(g, leases)}
	case 3:
		return &pb.LeaseLeasesRequest{}
	}
	return &pb.LeaseTimeToLiveRequest{ID: pick(g, leases), Keys: g.one(2)}
}

func (g *generator) data() proto.Message {
	switch g.IntN(12) {
	case 0, 1, 2:
		return &pb.RangeRequest{Key: g.key(), RangeEnd: g.end(), Serializable: g.one(3), Revision: pick(g, []int64{0, 0, 0, 1 << 40})}
	case 3:
		return streamed{&pb.RangeRequest{Key: g.key(), RangeEnd: g.end()}}
	case 4, 5:
		return g.put()
	case 6:
		return &pb.DeleteRangeRequest{Key: g.key(), RangeEnd: g.end(), PrevKv: g.one(2)}
	case 7:
		return &pb.CompactionRequest{Revision: 1 << 40}
	case 8, 9:
		w := &pb.WatchCreateRequest{Key: g.key(), RangeEnd: g.end(), StartRevision: pick(g, []int64{1 << 40, 1 << 40, -1})}
		if g.one(8) {
			w.Key = nil
		}
		return watched{w}
	}
	return g.txn(1)
}

func (g *generator) put() *pb.PutRequest {
	r := &pb.PutRequest{Key: g.key(), Value: []byte("v"), PrevKv: g.one(3)}
	if g.one(3) {
		r.Lease = pick(g, leases)
	}
	return r
}

func (g *generator) txn(depth int) *pb.TxnRequest {
	r := &pb.TxnRequest{}
	if g.one(2) {
		r.Compare = append(r.Compare, &pb.Compare{Key: g.key(), RangeEnd: g.end(), Target: pb.Compare_VERSION, TargetUnion: &pb.Compare_Version{}})
	}
	writes := g.one(2)
	for _, ops := range []*[]*pb.RequestOp{&r.Success, &r.Failure} {
		if g.one(2) {
			*ops = append(*ops, g.op(depth, writes))
		}
	}
	return r
}

func (g *generator) op(depth int, writes bool) *pb.RequestOp {
	switch {
	case writes && depth > 0 && g.one(3):
		return &pb.RequestOp{Request: &pb.RequestOp_RequestTxn{RequestTxn: g.txn(depth - 1)}}
	case writes && g.one(2):
		return &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: g.put()}}
	case writes:
		r := &pb.DeleteRangeRequest{Key: g.key(), RangeEnd: g.end(), PrevKv: g.one(2)}
		return &pb.RequestOp{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: r}}
	}
	return &pb.RequestOp{Request: &pb.RequestOp_RequestRange{RequestRange: &pb.RangeRequest{Key: g.key(), RangeEnd: g.end()}}}
}
