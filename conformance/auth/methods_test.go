package auth

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/authpb"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3election/v3electionpb"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3lock/v3lockpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// method is an RPC, and a request for it.
type method struct {
	name string
	// path is where the gateway has it; "" if it does not.
	path string
	// request makes a request whose names contain n.
	request func(n string) proto.Message
	// codeless is set where etcd passes an error on without its code.
	codeless bool
	// differs is set where zkine need not do what etcd does, but for the same users.
	differs bool
	// last is set if root must not make it: nothing would be asked of the others then.
	last        bool
	descriptor  protoreflect.MethodDescriptor
	serverSends bool
}

// services are all that an etcd serves its clients, but for gRPC's own.
var services = []string{
	"etcdserverpb.KV", "etcdserverpb.Watch", "etcdserverpb.Lease", "etcdserverpb.Cluster", "etcdserverpb.Maintenance", "etcdserverpb.Auth",
	"v3lockpb.Lock", "v3electionpb.Election",
}

// methods are all of their methods, each with a request: one that is new fails the test.
func methods(t *testing.T) (all []method) {
	requests := requestsOfMethods()
	for _, service := range services {
		d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(service))
		require.NoError(t, err)
		list := d.(protoreflect.ServiceDescriptor).Methods()
		for i := range list.Len() {
			of := list.Get(i)
			name := service + "/" + string(of.Name())
			require.NotNil(t, requests[name], "%s has no request here", name)
			all = append(all, method{
				name: name, path: gatewayPath(of), request: requests[name], descriptor: of, serverSends: of.IsStreamingServer(),
				codeless: strings.HasPrefix(service, "v3"), differs: strings.HasSuffix(service, ".Cluster") || strings.HasSuffix(service, ".Maintenance"), last: name == "etcdserverpb.Auth/AuthDisable",
			})
			delete(requests, name)
		}
	}
	require.Empty(t, requests)
	return all
}

// gatewayPath is what the .proto says.
func gatewayPath(of protoreflect.MethodDescriptor) (path string) {
	of.Options().ProtoReflect().Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if f.FullName() == "google.api.http" {
			rule := v.Message()
			path = rule.Get(rule.Descriptor().Fields().ByName("post")).String()
		}
		return true
	})
	return path
}

func withToken(ctx context.Context, token string) context.Context {
	if token == "" {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, "token", token)
}

// first makes a request by gRPC and returns the error of the first answer.
func (m method) first(ctx context.Context, conn *grpc.ClientConn, request proto.Message) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	kind, err := protoregistry.GlobalTypes.FindMessageByName(m.descriptor.Output().FullName())
	if err != nil {
		return err
	}
	answer := kind.New().Interface()
	if !m.serverSends {
		return conn.Invoke(ctx, "/"+m.name, request, answer)
	}
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: m.descriptor.IsStreamingClient(), ServerStreams: true}, "/"+m.name)
	if err != nil {
		return err
	}
	if err := stream.SendMsg(request); err != nil {
		return err
	}
	if !m.descriptor.IsStreamingClient() {
		if err := stream.CloseSend(); err != nil {
			return err
		}
	}
	return stream.RecvMsg(answer)
}

func always(r proto.Message) func(string) proto.Message {
	return func(string) proto.Message { return r }
}

// requestsOfMethods are about keys that alice may use, a user and a role that nobody is, and leases of others.
func requestsOfMethods() map[string]func(string) proto.Message {
	key := []byte("a")
	leader := &v3electionpb.LeaderKey{Name: []byte("a/election"), Key: []byte("a/election/1"), Rev: 1, Lease: 1}
	perm := &authpb.Permission{Key: []byte("y")}
	peers := []string{"http://127.0.0.1:1"}
	all := map[string]proto.Message{
		"etcdserverpb.KV/Range": &pb.RangeRequest{Key: key}, "etcdserverpb.KV/RangeStream": &pb.RangeRequest{Key: key},
		"etcdserverpb.KV/Put": &pb.PutRequest{Key: key}, "etcdserverpb.KV/DeleteRange": &pb.DeleteRangeRequest{Key: []byte("aa")},
		"etcdserverpb.KV/Txn":           &pb.TxnRequest{Compare: []*pb.Compare{{Key: key}}},
		"etcdserverpb.KV/Compact":       &pb.CompactionRequest{Revision: 1 << 40},
		"etcdserverpb.Watch/Watch":      &pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: &pb.WatchCreateRequest{Key: key}}},
		"etcdserverpb.Lease/LeaseGrant": &pb.LeaseGrantRequest{TTL: 9000}, "etcdserverpb.Lease/LeaseRevoke": &pb.LeaseRevokeRequest{ID: 3},
		"etcdserverpb.Lease/LeaseKeepAlive": &pb.LeaseKeepAliveRequest{ID: 2}, "etcdserverpb.Lease/LeaseTimeToLive": &pb.LeaseTimeToLiveRequest{ID: 1, Keys: true},
		"etcdserverpb.Lease/LeaseLeases": &pb.LeaseLeasesRequest{},

		"etcdserverpb.Cluster/MemberList": &pb.MemberListRequest{Linearizable: true}, "etcdserverpb.Cluster/MemberAdd": &pb.MemberAddRequest{PeerURLs: []string{"x"}},
		"etcdserverpb.Cluster/MemberRemove":  &pb.MemberRemoveRequest{ID: 9},
		"etcdserverpb.Cluster/MemberUpdate":  &pb.MemberUpdateRequest{ID: 9, PeerURLs: peers},
		"etcdserverpb.Cluster/MemberPromote": &pb.MemberPromoteRequest{ID: 9},

		"etcdserverpb.Maintenance/Alarm":  &pb.AlarmRequest{Action: pb.AlarmRequest_DEACTIVATE, Alarm: pb.AlarmType_NOSPACE},
		"etcdserverpb.Maintenance/Status": &pb.StatusRequest{}, "etcdserverpb.Maintenance/Defragment": &pb.DefragmentRequest{},
		"etcdserverpb.Maintenance/Hash": &pb.HashRequest{}, "etcdserverpb.Maintenance/HashKV": &pb.HashKVRequest{},
		"etcdserverpb.Maintenance/Snapshot": &pb.SnapshotRequest{}, "etcdserverpb.Maintenance/MoveLeader": &pb.MoveLeaderRequest{TargetID: 9},
		"etcdserverpb.Maintenance/Downgrade": &pb.DowngradeRequest{Action: pb.DowngradeRequest_CANCEL},

		"etcdserverpb.Auth/AuthEnable": &pb.AuthEnableRequest{}, "etcdserverpb.Auth/AuthDisable": &pb.AuthDisableRequest{},
		"etcdserverpb.Auth/AuthStatus": &pb.AuthStatusRequest{}, "etcdserverpb.Auth/Authenticate": &pb.AuthenticateRequest{Name: "alice", Password: "p"},
		"etcdserverpb.Auth/UserGet": &pb.AuthUserGetRequest{Name: "alice"}, "etcdserverpb.Auth/UserList": &pb.AuthUserListRequest{},
		"etcdserverpb.Auth/UserDelete":         &pb.AuthUserDeleteRequest{Name: "none"},
		"etcdserverpb.Auth/UserChangePassword": &pb.AuthUserChangePasswordRequest{Name: "victim", Password: "q"},
		"etcdserverpb.Auth/UserGrantRole":      &pb.AuthUserGrantRoleRequest{User: "victim", Role: "victim"},
		"etcdserverpb.Auth/UserRevokeRole":     &pb.AuthUserRevokeRoleRequest{Name: "victim", Role: "victim"},
		"etcdserverpb.Auth/RoleGet":            &pb.AuthRoleGetRequest{Role: roles[1]}, "etcdserverpb.Auth/RoleList": &pb.AuthRoleListRequest{},
		"etcdserverpb.Auth/RoleDelete":           &pb.AuthRoleDeleteRequest{Role: "none"},
		"etcdserverpb.Auth/RoleGrantPermission":  &pb.AuthRoleGrantPermissionRequest{Name: "victim", Perm: perm},
		"etcdserverpb.Auth/RoleRevokePermission": &pb.AuthRoleRevokePermissionRequest{Role: "victim", Key: perm.Key},

		"v3lockpb.Lock/Unlock":           &v3lockpb.UnlockRequest{Key: []byte("a/lock/1")},
		"v3electionpb.Election/Leader":   &v3electionpb.LeaderRequest{Name: leader.Name},
		"v3electionpb.Election/Observe":  &v3electionpb.LeaderRequest{Name: leader.Name},
		"v3electionpb.Election/Proclaim": &v3electionpb.ProclaimRequest{Leader: leader, Value: []byte("x")},
		"v3electionpb.Election/Resign":   &v3electionpb.ResignRequest{Leader: leader},
	}
	requests := map[string]func(string) proto.Message{
		"etcdserverpb.Auth/UserAdd": func(n string) proto.Message { return &pb.AuthUserAddRequest{Name: n, Password: "p"} },
		"etcdserverpb.Auth/RoleAdd": func(n string) proto.Message { return &pb.AuthRoleAddRequest{Name: n} },
		"v3lockpb.Lock/Lock": func(n string) proto.Message {
			return &v3lockpb.LockRequest{Name: slices.Concat([]byte("a/l"), []byte(n)), Lease: 1}
		},
		"v3electionpb.Election/Campaign": func(n string) proto.Message {
			return &v3electionpb.CampaignRequest{Name: slices.Concat([]byte("a/c"), []byte(n)), Lease: 1}
		},
	}
	for name, r := range all {
		requests[name] = always(r)
	}
	return requests
}
