package server

import (
	"fmt"
	"io"

	"go.etcd.io/etcd/api/v3/authpb"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3election/v3electionpb"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3lock/v3lockpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/backend/observepb"
)

// Who may make a request.

func always(request proto.Message) func(*accessSetup, int) proto.Message {
	return func(*accessSetup, int) proto.Message { return request }
}

func each(request func(n int) proto.Message) func(*accessSetup, int) proto.Message {
	return func(_ *accessSetup, n int) proto.Message { return request(n) }
}

// everybody need not even show a token, but not a wrong one.
func everybody(request proto.Message) accessRow {
	return accessRow{request: always(request), invalid: rpctypes.ErrGRPCInvalidAuthToken}
}

// users are all who are logged in.
func users(request proto.Message) accessRow {
	row := everybody(request)
	row.anonymous = rpctypes.ErrGRPCUserEmpty
	return row
}

// permitted are users with permission on what the request is about.
func permitted(request proto.Message) accessRow {
	row := users(request)
	row.stranger = rpctypes.ErrGRPCPermissionDenied
	return row
}

func rootOnly(request proto.Message) accessRow {
	row := permitted(request)
	row.allowed = rpctypes.ErrGRPCPermissionDenied
	return row
}

func (row accessRow) each(request func(n int) proto.Message) accessRow {
	row.request, row.numbered = each(request), true
	return row
}

// refused is a row whose request is not served even to those who may make it.
func (row accessRow) refused(code codes.Code) accessRow {
	row.then = code
	return row
}

// passedOn is a row of a call whose error comes without its code.
func (row accessRow) passedOn() accessRow {
	row.codeless = true
	return row
}

func numbered(prefix string, n int) string { return fmt.Sprintf("%s%d", prefix, n) }

// accessRows has rows for each method: several where who may call depends on the
// request.
func accessRows() map[string][]accessRow {
	rows := map[string][]accessRow{}
	for _, part := range []map[string][]accessRow{kvAccess(), leaseAccess(), maintenanceAccess(), authAccess(), concurrencyAccess(), observeAccess()} {
		for method, of := range part {
			rows[method] = of
		}
	}
	return rows
}

func kvAccess() map[string][]accessRow {
	a, readOnly := []byte("a/x"), []byte("y/x")
	read := &pb.RequestOp{Request: &pb.RequestOp_RequestRange{RequestRange: &pb.RangeRequest{Key: a}}}
	write := &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: a}}}
	writeReadOnly := &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: readOnly}}}
	nested := func(ops ...*pb.RequestOp) *pb.RequestOp {
		return &pb.RequestOp{Request: &pb.RequestOp_RequestTxn{RequestTxn: &pb.TxnRequest{Failure: ops}}}
	}
	return map[string][]accessRow{
		pb.KV_Range_FullMethodName: {
			permitted(&pb.RangeRequest{Key: a}),
			permitted(&pb.RangeRequest{Key: a, Serializable: true}),
			rootOnly(&pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}}),
		},
		pb.KV_RangeStream_FullMethodName: {permitted(&pb.RangeRequest{Key: a})},
		pb.KV_Put_FullMethodName: {
			permitted(&pb.PutRequest{Key: a}),
			permitted(&pb.PutRequest{Key: a, Lease: 7}),
			permitted(&pb.PutRequest{Key: a, PrevKv: true}),
			rootOnly(&pb.PutRequest{Key: readOnly}),
			rootOnly(&pb.PutRequest{Key: a, Lease: 200}), // which has a key that alice may not delete
		},
		pb.KV_DeleteRange_FullMethodName: {
			permitted(&pb.DeleteRangeRequest{Key: a, PrevKv: true}),
			rootOnly(&pb.DeleteRangeRequest{Key: readOnly}),
		},
		pb.KV_Txn_FullMethodName: {
			permitted(&pb.TxnRequest{Success: []*pb.RequestOp{read}}),
			permitted(&pb.TxnRequest{Success: []*pb.RequestOp{write}}),
			permitted(&pb.TxnRequest{Failure: []*pb.RequestOp{write}}),
			permitted(&pb.TxnRequest{Compare: []*pb.Compare{{Key: a}}}),
			permitted(&pb.TxnRequest{Success: []*pb.RequestOp{nested(read)}}),
			permitted(&pb.TxnRequest{Compare: []*pb.Compare{{Key: readOnly, RangeEnd: []byte("y0")}}, Failure: []*pb.RequestOp{read, nested(write)}}),
			rootOnly(&pb.TxnRequest{Compare: []*pb.Compare{{Key: []byte{0}, RangeEnd: []byte{0}}}}),
			rootOnly(&pb.TxnRequest{Success: []*pb.RequestOp{read, nested(read, writeReadOnly)}}),
			everybody(&pb.TxnRequest{}), // which asks for nothing
		},
		pb.KV_Compact_FullMethodName: {rootOnly(nil).each(func(n int) proto.Message { return &pb.CompactionRequest{Revision: int64(n) + 2} })},
		pb.Watch_Watch_FullMethodName: {
			permitted(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: &pb.WatchCreateRequest{Key: a}}}).passedOn(),
			rootOnly(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: &pb.WatchCreateRequest{RangeEnd: []byte{0}}}}).passedOn(),
		},
	}
}

func leaseAccess() map[string][]accessRow {
	return map[string][]accessRow{
		pb.Lease_LeaseGrant_FullMethodName: {users(&pb.LeaseGrantRequest{TTL: 60})},
		pb.Lease_LeaseRevoke_FullMethodName: {
			permitted(nil).each(func(n int) proto.Message { return &pb.LeaseRevokeRequest{ID: 100 + int64(n)} }),
			rootOnly(nil).each(func(n int) proto.Message { return &pb.LeaseRevokeRequest{ID: 200 + int64(n)} }),
		},
		pb.Lease_LeaseKeepAlive_FullMethodName: {
			permitted(&pb.LeaseKeepAliveRequest{ID: 7}),
			rootOnly(&pb.LeaseKeepAliveRequest{ID: 200}),
			users(&pb.LeaseKeepAliveRequest{ID: 8}), // there is none
		},
		pb.Lease_LeaseTimeToLive_FullMethodName: {
			users(&pb.LeaseTimeToLiveRequest{ID: 7}),
			permitted(&pb.LeaseTimeToLiveRequest{ID: 7, Keys: true}),
			permitted(&pb.LeaseTimeToLiveRequest{ID: 200, Keys: true}),
		},
		pb.Lease_LeaseLeases_FullMethodName: {permitted(&pb.LeaseLeasesRequest{})},
	}
}

func maintenanceAccess() map[string][]accessRow {
	urls := []string{"http://127.0.0.1:1"}
	return map[string][]accessRow{
		pb.Cluster_MemberList_FullMethodName:    {users(&pb.MemberListRequest{}), users(&pb.MemberListRequest{Linearizable: true})},
		pb.Cluster_MemberAdd_FullMethodName:     {rootOnly(&pb.MemberAddRequest{PeerURLs: urls}).refused(codes.Unimplemented)},
		pb.Cluster_MemberRemove_FullMethodName:  {rootOnly(&pb.MemberRemoveRequest{ID: 1}).refused(codes.Unimplemented)},
		pb.Cluster_MemberUpdate_FullMethodName:  {rootOnly(&pb.MemberUpdateRequest{ID: 1, PeerURLs: urls}).refused(codes.Unimplemented)},
		pb.Cluster_MemberPromote_FullMethodName: {rootOnly(&pb.MemberPromoteRequest{ID: 1}).refused(codes.Unimplemented)},
		pb.Maintenance_Alarm_FullMethodName: {
			users(&pb.AlarmRequest{}),
			rootOnly(&pb.AlarmRequest{Action: pb.AlarmRequest_ACTIVATE, Alarm: pb.AlarmType_NOSPACE}),
			rootOnly(&pb.AlarmRequest{Action: pb.AlarmRequest_DEACTIVATE, Alarm: pb.AlarmType_NOSPACE}),
			rootOnly(&pb.AlarmRequest{Action: 99}).refused(codes.InvalidArgument),
		},
		pb.Maintenance_Status_FullMethodName:     {users(&pb.StatusRequest{})},
		pb.Maintenance_Defragment_FullMethodName: {rootOnly(&pb.DefragmentRequest{})},
		pb.Maintenance_Hash_FullMethodName:       {rootOnly(&pb.HashRequest{})},
		pb.Maintenance_HashKV_FullMethodName:     {rootOnly(&pb.HashKVRequest{})},
		pb.Maintenance_Snapshot_FullMethodName:   {rootOnly(&pb.SnapshotRequest{})},
		pb.Maintenance_MoveLeader_FullMethodName: {rootOnly(&pb.MoveLeaderRequest{TargetID: 1}).refused(codes.FailedPrecondition)},
		pb.Maintenance_Downgrade_FullMethodName:  {rootOnly(&pb.DowngradeRequest{Action: pb.DowngradeRequest_CANCEL})},
	}
}

func authAccess() map[string][]accessRow {
	login := accessRow{request: always(&pb.AuthenticateRequest{Name: "bob", Password: "bob"}), off: rpctypes.ErrGRPCAuthNotEnabled}
	perm := func() *authpb.Permission { return &authpb.Permission{Key: []byte("y")} }
	return map[string][]accessRow{
		pb.Auth_Authenticate_FullMethodName: {login},
		pb.Auth_AuthStatus_FullMethodName:   {everybody(&pb.AuthStatusRequest{})},
		pb.Auth_AuthEnable_FullMethodName:   {rootOnly(&pb.AuthEnableRequest{})},
		pb.Auth_AuthDisable_FullMethodName:  {rootOnly(&pb.AuthDisableRequest{})},
		pb.Auth_UserGet_FullMethodName: {
			permitted(&pb.AuthUserGetRequest{Name: "alice"}), // who may see herself
			rootOnly(&pb.AuthUserGetRequest{Name: "root"}),
		},
		pb.Auth_RoleGet_FullMethodName: {
			permitted(&pb.AuthRoleGetRequest{Role: "app"}), // her own
			rootOnly(&pb.AuthRoleGetRequest{Role: "r0"}),
		},
		pb.Auth_UserList_FullMethodName: {rootOnly(&pb.AuthUserListRequest{})},
		pb.Auth_RoleList_FullMethodName: {rootOnly(&pb.AuthRoleListRequest{})},
		pb.Auth_UserAdd_FullMethodName: {rootOnly(nil).each(func(n int) proto.Message {
			return &pb.AuthUserAddRequest{Name: numbered("new", n), Password: "x"}
		})},
		pb.Auth_UserDelete_FullMethodName: {rootOnly(nil).each(func(n int) proto.Message {
			return &pb.AuthUserDeleteRequest{Name: numbered("u", n)}
		})},
		pb.Auth_UserChangePassword_FullMethodName: {rootOnly(nil).each(func(n int) proto.Message {
			return &pb.AuthUserChangePasswordRequest{Name: numbered("u", n), Password: "x"}
		})},
		pb.Auth_UserGrantRole_FullMethodName: {rootOnly(nil).each(func(n int) proto.Message {
			return &pb.AuthUserGrantRoleRequest{User: numbered("u", n), Role: "app"}
		})},
		pb.Auth_UserRevokeRole_FullMethodName: {rootOnly(nil).each(func(n int) proto.Message {
			return &pb.AuthUserRevokeRoleRequest{Name: numbered("u", n), Role: numbered("r", n)}
		})},
		pb.Auth_RoleAdd_FullMethodName: {rootOnly(nil).each(func(n int) proto.Message {
			return &pb.AuthRoleAddRequest{Name: numbered("new", n)}
		})},
		pb.Auth_RoleDelete_FullMethodName: {rootOnly(nil).each(func(n int) proto.Message {
			return &pb.AuthRoleDeleteRequest{Role: numbered("r", n)}
		})},
		pb.Auth_RoleGrantPermission_FullMethodName: {rootOnly(nil).each(func(n int) proto.Message {
			return &pb.AuthRoleGrantPermissionRequest{Name: numbered("r", n), Perm: perm()}
		})},
		pb.Auth_RoleRevokePermission_FullMethodName: {rootOnly(nil).each(func(n int) proto.Message {
			return &pb.AuthRoleRevokePermissionRequest{Role: numbered("r", n), Key: []byte("z/"), RangeEnd: []byte("z0")}
		})},
	}
}

// observeAccess is zkine's own.
func observeAccess() map[string][]accessRow {
	return map[string][]accessRow{
		observepb.Observe_Usage_FullMethodName:    {rootOnly(&observepb.UsageRequest{})},
		observepb.Observe_Member_FullMethodName:   {rootOnly(&observepb.MemberRequest{})},
		observepb.Observe_Ensemble_FullMethodName: {rootOnly(&observepb.EnsembleRequest{})},
	}
}

// concurrencyAccess is what etcd's lock and election services may do for their
// callers, on the keys that they use.
func concurrencyAccess() map[string][]accessRow {
	election := []byte("a/e")
	ofLeader := func(request func(*v3electionpb.LeaderKey) proto.Message) accessRow {
		row := permitted(nil).passedOn()
		row.request = func(s *accessSetup, _ int) proto.Message { return request(s.leader) }
		return row
	}
	observe := permitted(&v3electionpb.LeaderRequest{Name: election})
	observe.anonymous, observe.invalid, observe.stranger = io.EOF, io.EOF, io.EOF // all that etcd's service says
	return map[string][]accessRow{
		v3lockpb.Lock_Lock_FullMethodName:   {permitted(&v3lockpb.LockRequest{Name: []byte("a/lock"), Lease: 7}).passedOn()},
		v3lockpb.Lock_Unlock_FullMethodName: {permitted(&v3lockpb.UnlockRequest{Key: []byte("a/lock/7")}).passedOn()},
		v3electionpb.Election_Campaign_FullMethodName: {
			permitted(&v3electionpb.CampaignRequest{Name: election, Lease: 7}).passedOn(),
		},
		v3electionpb.Election_Leader_FullMethodName:  {permitted(&v3electionpb.LeaderRequest{Name: election}).passedOn()},
		v3electionpb.Election_Observe_FullMethodName: {observe},
		v3electionpb.Election_Proclaim_FullMethodName: {ofLeader(func(k *v3electionpb.LeaderKey) proto.Message {
			return &v3electionpb.ProclaimRequest{Leader: k, Value: []byte("x")}
		})},
		v3electionpb.Election_Resign_FullMethodName: {ofLeader(func(k *v3electionpb.LeaderKey) proto.Message {
			return &v3electionpb.ResignRequest{Leader: k}
		})},
	}
}
