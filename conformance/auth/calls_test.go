package auth

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// request is one, and whose token it carries: "" for none, "*" for one that is made up, "**" for none at all that is
// sent all the same.
type request struct {
	as string
	proto.Message
}

func (r request) String() string {
	return fmt.Sprintf("%q %s{%.200s}", r.as, r.ProtoReflect().Descriptor().Name(), fmt.Sprint(r.Message))
}

// keyRequest is for calls that only differ in the name of what they get: a range as a stream, and the start of a watch.
type (
	streamed struct{ *pb.RangeRequest }
	watched  struct{ *pb.WatchCreateRequest }
)

// answer makes the request and returns what can be compared.
func (s *store) answer(r request) string {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	switch r.as {
	case "":
	case "*":
		ctx = metadata.AppendToOutgoingContext(ctx, "token", "madeup.1")
	case "**":
		ctx = metadata.AppendToOutgoingContext(ctx, "token", "")
	default:
		ctx = metadata.AppendToOutgoingContext(ctx, "token", s.tokens[r.as])
	}
	resp, err := s.call(ctx, r.Message)
	if err != nil {
		return fmt.Sprintf("%v: %s", status.Code(err), status.Convert(err).Message())
	}
	s.normalize(r.Message, resp)
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(resp)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%x = %v", b, resp)
}

// normalize makes equal what may differ between two servers that do the same.
func (s *store) normalize(r, resp proto.Message) {
	if h, ok := resp.(interface{ GetHeader() *pb.ResponseHeader }); ok && h.GetHeader() != nil {
		h.GetHeader().ClusterId, h.GetHeader().MemberId, h.GetHeader().RaftTerm = 0, 0, 0
	}
	switch resp := resp.(type) {
	case *pb.RangeStreamResponse:
		s.normalize(r, resp.RangeResponse)
	case *pb.AuthenticateResponse:
		s.tokens[r.(*pb.AuthenticateRequest).Name] = resp.Token
		resp.Token = "token"
	case *pb.LeaseTimeToLiveResponse:
		resp.TTL = min(resp.TTL, 1)
		slices.SortFunc(resp.Keys, slices.Compare)
	case *pb.LeaseLeasesResponse:
		slices.SortFunc(resp.Leases, func(a, b *pb.LeaseStatus) int { return cmp.Compare(a.ID, b.ID) })
	case *pb.StatusResponse:
		proto.Reset(resp)
	case *pb.MemberListResponse:
		proto.Reset(resp)
	}
}

func (s *store) call(ctx context.Context, r proto.Message) (proto.Message, error) {
	switch r := r.(type) {
	case *pb.RangeRequest:
		return s.kv.Range(ctx, r)
	case streamed:
		return first(s.kv.RangeStream(ctx, r.RangeRequest))
	case *pb.PutRequest:
		return s.kv.Put(ctx, r)
	case *pb.DeleteRangeRequest:
		return s.kv.DeleteRange(ctx, r)
	case *pb.TxnRequest:
		return s.kv.Txn(ctx, r)
	case *pb.CompactionRequest:
		return s.kv.Compact(ctx, r)
	case watched:
		return s.watchOnce(ctx, r.WatchCreateRequest)
	case *pb.LeaseGrantRequest:
		return s.lease.LeaseGrant(ctx, r)
	case *pb.LeaseRevokeRequest:
		return s.lease.LeaseRevoke(ctx, r)
	case *pb.LeaseTimeToLiveRequest:
		return s.lease.LeaseTimeToLive(ctx, r)
	case *pb.LeaseLeasesRequest:
		return s.lease.LeaseLeases(ctx, r)
	case *pb.LeaseKeepAliveRequest:
		return s.keepAlive(ctx, r)
	}
	if resp, ok, err := s.callAuth(ctx, r); ok {
		return resp, err
	}
	return s.callOther(ctx, r)
}

func (s *store) callAuth(ctx context.Context, r proto.Message) (resp proto.Message, ok bool, err error) {
	ok = true
	switch r := r.(type) {
	case *pb.AuthEnableRequest:
		resp, err = s.auth.AuthEnable(ctx, r)
	case *pb.AuthDisableRequest:
		resp, err = s.auth.AuthDisable(ctx, r)
	case *pb.AuthStatusRequest:
		resp, err = s.auth.AuthStatus(ctx, r)
	case *pb.AuthenticateRequest:
		resp, err = s.auth.Authenticate(ctx, r)
	case *pb.AuthUserAddRequest:
		resp, err = s.auth.UserAdd(ctx, r)
	case *pb.AuthUserGetRequest:
		resp, err = s.auth.UserGet(ctx, r)
	case *pb.AuthUserListRequest:
		resp, err = s.auth.UserList(ctx, r)
	case *pb.AuthUserDeleteRequest:
		resp, err = s.auth.UserDelete(ctx, r)
	case *pb.AuthUserChangePasswordRequest:
		resp, err = s.auth.UserChangePassword(ctx, r)
	case *pb.AuthUserGrantRoleRequest:
		resp, err = s.auth.UserGrantRole(ctx, r)
	case *pb.AuthUserRevokeRoleRequest:
		resp, err = s.auth.UserRevokeRole(ctx, r)
	case *pb.AuthRoleAddRequest:
		resp, err = s.auth.RoleAdd(ctx, r)
	case *pb.AuthRoleGetRequest:
		resp, err = s.auth.RoleGet(ctx, r)
	case *pb.AuthRoleListRequest:
		resp, err = s.auth.RoleList(ctx, r)
	case *pb.AuthRoleDeleteRequest:
		resp, err = s.auth.RoleDelete(ctx, r)
	case *pb.AuthRoleGrantPermissionRequest:
		resp, err = s.auth.RoleGrantPermission(ctx, r)
	case *pb.AuthRoleRevokePermissionRequest:
		resp, err = s.auth.RoleRevokePermission(ctx, r)
	default:
		ok = false
	}
	return resp, ok, err
}

// callOther makes the calls that need not do the same, but are permitted to the same users.
func (s *store) callOther(ctx context.Context, r proto.Message) (proto.Message, error) {
	var err error
	switch r := r.(type) {
	case *pb.StatusRequest:
		return s.maint.Status(ctx, r)
	case *pb.MemberListRequest:
		return s.cluster.MemberList(ctx, r)
	case *pb.AlarmRequest:
		_, err = s.maint.Alarm(ctx, r)
	case *pb.DefragmentRequest:
		_, err = s.maint.Defragment(ctx, r)
	case *pb.HashRequest:
		_, err = s.maint.Hash(ctx, r)
	case *pb.HashKVRequest:
		_, err = s.maint.HashKV(ctx, r)
	case *pb.MoveLeaderRequest:
		_, err = s.maint.MoveLeader(ctx, r)
	case *pb.DowngradeRequest:
		_, err = s.maint.Downgrade(ctx, r)
	case *pb.SnapshotRequest:
		_, err = first(s.maint.Snapshot(ctx, r))
	case *pb.MemberRemoveRequest:
		_, err = s.cluster.MemberRemove(ctx, r)
	case *pb.MemberUpdateRequest:
		_, err = s.cluster.MemberUpdate(ctx, r)
	case *pb.MemberPromoteRequest:
		_, err = s.cluster.MemberPromote(ctx, r)
	default:
		panic(fmt.Sprintf("no call for %T", r))
	}
	if permitted(err) {
		err = nil
	}
	return &pb.ResponseHeader{}, err
}

// permitted says that an error, or none, is not about who made the call.
func permitted(err error) bool {
	for _, s := range []struct {
		code codes.Code
		text string
	}{
		{codes.PermissionDenied, "etcdserver: permission denied"},
		{codes.Unauthenticated, "etcdserver: invalid auth token"},
		{codes.InvalidArgument, "etcdserver: user name is empty"},
		{codes.FailedPrecondition, "etcdserver: user name not found"},
	} {
		if status.Code(err) == s.code && status.Convert(err).Message() == s.text {
			return false
		}
	}
	return true
}

// first receives a stream's first response.
func first[T any, S interface{ Recv() (T, error) }](stream S, err error) (T, error) {
	if err != nil {
		var none T
		return none, err
	}
	return stream.Recv()
}

func (s *store) keepAlive(ctx context.Context, r *pb.LeaseKeepAliveRequest) (proto.Message, error) {
	stream, err := s.lease.LeaseKeepAlive(ctx)
	if err != nil {
		return nil, err
	}
	if err := stream.Send(r); err != nil {
		return nil, err
	}
	return stream.Recv()
}

func (s *store) watchOnce(ctx context.Context, r *pb.WatchCreateRequest) (proto.Message, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := s.watch.Watch(ctx)
	if err != nil {
		return nil, err
	}
	create := &pb.WatchRequest_CreateRequest{CreateRequest: proto.CloneOf(r)}
	if err := stream.Send(&pb.WatchRequest{RequestUnion: create}); err != nil {
		return nil, err
	}
	return stream.Recv()
}
