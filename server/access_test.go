package server

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/authpb"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3election/v3electionpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/zkine/zkine/backend/token"
	"github.com/zkine/zkine/revision/memzk"
)

// JSON web tokens are verified once for each call, whether it is only asked here,
// or where it is applied, too.
func TestTokensAreVerifiedOnce(t *testing.T) {
	key := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(key, []byte("secret"), 0o600))
	tokens, err := token.Parse("jwt,sign-method=HS256,priv-key=" + key)
	require.NoError(t, err)
	var verified countedMethod
	verified.SigningMethod = jwt.SigningMethodHS256
	jwt.RegisterSigningMethod("HS256", func() jwt.SigningMethod { return &verified })
	t.Cleanup(func() {
		jwt.RegisterSigningMethod("HS256", func() jwt.SigningMethod { return jwt.SigningMethodHS256 })
	})
	s := &accessSetup{member: startMember(t, memzk.New(), "one", tokens)}
	s.setUp(t, 1)
	_, err = s.auth.AuthEnable(ctxFor(t), &pb.AuthEnableRequest{})
	require.NoError(t, err)
	require.Zero(t, verified.count.Load(), "tokens do not matter yet")
	methods := accessMethods(s.member)
	for _, name := range slices.Sorted(maps.Keys(methods)) {
		if !strings.HasPrefix(name, "/etcdserverpb.") {
			continue // which calls others, each with the token
		}
		for _, row := range accessRows()[name] {
			root := s.login(t, "root", "root")
			before := verified.count.Load()
			invoke(root, s.conn, name, methods[name], row.request(s, 0)) //nolint:errcheck // TestAccess looks at it
			want := int64(1)
			if name == pb.Auth_Authenticate_FullMethodName {
				want = 0
			}
			require.Equal(t, want, verified.count.Load()-before, name)
		}
		if name == pb.Auth_AuthDisable_FullMethodName {
			_, err := s.auth.AuthEnable(ctxFor(t), &pb.AuthEnableRequest{})
			require.NoError(t, err)
		}
	}
}

// countedMethod is a method of signing that counts what it verifies.
type countedMethod struct {
	jwt.SigningMethod
	count atomic.Int64
}

func (m *countedMethod) Verify(text string, sig []byte, key any) error {
	m.count.Add(1)
	return m.SigningMethod.Verify(text, sig, key)
}

// accessMethods are the methods of the server that may ask who calls.
func accessMethods(m *member) map[string]grpc.MethodInfo {
	methods := map[string]grpc.MethodInfo{}
	for service, info := range m.server.facade.Load().grpc.GetServiceInfo() {
		if strings.HasPrefix(service, "grpc.") {
			continue // health and reflection: no user is asked for
		}
		for _, method := range info.Methods {
			methods["/"+service+"/"+method.Name] = method
		}
	}
	return methods
}

// TestAccess calls every method of every service with and without the right to,
// through each door. The methods come from the gRPC server itself: one that is new
// fails the test until accessRows has a row for it.
func TestAccess(t *testing.T) {
	methods := accessMethods(startMember(t, memzk.New(), "one", nil))
	for name := range accessRows() {
		require.Contains(t, methods, name, "a row for a method that does not exist")
	}
	for _, name := range slices.Sorted(maps.Keys(methods)) {
		require.NotEmpty(t, accessRows()[name], "%s has no row: say in backend/access.go and here who may call it", name)
		for i, row := range accessRows()[name] {
			t.Run(fmt.Sprintf("%s/%d", name[1:], i), func(t *testing.T) {
				t.Parallel()
				row.run(t, name, methods[name])
			})
		}
	}
}

// accessRow is a request, and what its callers are told.
type accessRow struct {
	// request makes the request for the nth call.
	request func(s *accessSetup, n int) proto.Message
	// The errors of callers without a token, with one that is made up, of a user
	// without permissions, of one with them, and of root.
	anonymous, invalid, stranger, allowed, root error
	// numbered is set if the nth call needs users, roles and leases of its own.
	numbered bool
	// off is the answer while authentication is disabled; with then it stands for
	// what those are told that may make the request, if that is an error.
	off  error
	then codes.Code
	// codeless is set where etcd passes an error on without its code.
	codeless bool
}

// accessSetup is what the requests are about.
type accessSetup struct {
	*member
	// clients signs the certificates of clients.
	clients *authority
	leader  *v3electionpb.LeaderKey
}

// accessCalls is how many calls a row makes: six through each of three doors.
const accessCalls = 18

// setUp makes users root, alice (who may read and write a/, and read y/) and bob
// (who may nothing); lease 7 with keys below a/; and for each of some calls n a user
// un, a role rn which un has, and the leases 100+n with a key below a/ and 200+n with
// one below y/.
func (s *accessSetup) setUp(t *testing.T, calls int) {
	ctx := ctxFor(t)
	leases, elections := pb.NewLeaseClient(s.conn), v3electionpb.NewElectionClient(s.conn)
	role := func(name, key string) {
		_, err := s.auth.RoleAdd(ctx, &pb.AuthRoleAddRequest{Name: name})
		require.NoError(t, err)
		perm := &authpb.Permission{PermType: authpb.Permission_READWRITE, Key: []byte(key), RangeEnd: []byte(key[:1] + "0")}
		_, err = s.auth.RoleGrantPermission(ctx, &pb.AuthRoleGrantPermissionRequest{Name: name, Perm: perm})
		require.NoError(t, err)
	}
	mayRead := func(role, key string) {
		perm := &authpb.Permission{PermType: authpb.Permission_READ, Key: []byte(key), RangeEnd: []byte(key[:1] + "0")}
		_, err := s.auth.RoleGrantPermission(ctx, &pb.AuthRoleGrantPermissionRequest{Name: role, Perm: perm})
		require.NoError(t, err)
	}
	user := func(name, role string) {
		_, err := s.auth.UserAdd(ctx, &pb.AuthUserAddRequest{Name: name, Password: name})
		require.NoError(t, err)
		if role != "" {
			_, err = s.auth.UserGrantRole(ctx, &pb.AuthUserGrantRoleRequest{User: name, Role: role})
			require.NoError(t, err)
		}
	}
	lease := func(id int64, key string) {
		_, err := leases.LeaseGrant(ctx, &pb.LeaseGrantRequest{ID: id, TTL: 600})
		require.NoError(t, err)
		_, err = s.kv.Put(ctx, &pb.PutRequest{Key: []byte(key), Lease: id})
		require.NoError(t, err)
	}
	role("app", "a/")
	mayRead("app", "y/")
	user("root", "root")
	user("alice", "app")
	user("bob", "")
	lease(7, "a/7")
	for n := range calls {
		role(fmt.Sprintf("r%d", n), "z/")
		user(fmt.Sprintf("u%d", n), fmt.Sprintf("r%d", n))
		lease(100+int64(n), fmt.Sprintf("a/%d", 100+n))
		lease(200+int64(n), fmt.Sprintf("y/%d", 200+n))
	}
	won, err := elections.Campaign(ctx, &v3electionpb.CampaignRequest{Name: []byte("a/e"), Lease: 7})
	require.NoError(t, err)
	s.leader = won.Leader
}

// newAccessSetup starts a member with all of that.
func newAccessSetup(t *testing.T, calls int) *accessSetup {
	t.Helper()
	clients, open := openDoors(t)
	s := &accessSetup{member: startMember(t, memzk.New(), "one", nil, open), clients: clients}
	s.setUp(t, calls)
	return s
}

func (row accessRow) run(t *testing.T, name string, method grpc.MethodInfo) {
	numbers := 1
	if row.numbered {
		numbers = accessCalls
	}
	s := newAccessSetup(t, numbers)
	calls := 0
	for _, through := range doorsOf(t, name) {
		ask := func(who accessCaller, what string, want error) {
			t.Helper()
			got := s.call(t, through, who, name, method, row.request(s, calls))
			calls++
			row.judge(t, fmt.Sprintf("%s, %s", through, what), want, got)
		}
		ask(accessCaller{}, "while authentication is disabled", row.off)
		if name != pb.Auth_AuthEnable_FullMethodName { // which has just done so
			_, err := s.auth.AuthEnable(ctxFor(t), &pb.AuthEnableRequest{})
			require.NoError(t, err)
		}
		ask(accessCaller{}, "without a token", row.anonymous)
		ask(accessCaller{madeUp: "x.1"}, "with a made-up token", row.invalid)
		ask(accessCaller{user: "bob"}, "bob", row.stranger)
		ask(accessCaller{user: "alice"}, "alice", row.allowed)
		ask(accessCaller{user: "root"}, "root", row.root)
		if name != pb.Auth_AuthDisable_FullMethodName {
			_, err := s.auth.AuthDisable(s.login(t, "root", "root"), &pb.AuthDisableRequest{})
			require.NoError(t, err)
		}
	}
	require.LessOrEqual(t, calls, accessCalls)
}

// judge compares what a caller was told with what it should be.
func (row accessRow) judge(t *testing.T, what string, want, got error) {
	t.Helper()
	switch {
	case want == nil && row.then == codes.OK:
		require.NoError(t, got, what)
	case want == nil:
		require.Equal(t, row.then, status.Code(got), "%s: %v", what, got)
	default:
		require.ErrorContains(t, got, rpctypes.ErrorDesc(want), what)
		require.True(t, row.codeless || status.Code(got) == status.Code(want), "%s: %v", what, got)
	}
}

// invoke makes a call, and returns the error of its first answer.
func invoke(ctx context.Context, conn *grpc.ClientConn, name string, method grpc.MethodInfo, request proto.Message) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	service, rpc := serviceAndMethod(name)
	d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(service))
	if err != nil {
		return err
	}
	output := d.(protoreflect.ServiceDescriptor).Methods().ByName(protoreflect.Name(rpc)).Output()
	kind, err := protoregistry.GlobalTypes.FindMessageByName(output.FullName())
	if err != nil {
		return err
	}
	response := kind.New().Interface()
	if !method.IsClientStream && !method.IsServerStream {
		return conn.Invoke(ctx, name, request, response)
	}
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: method.IsClientStream, ServerStreams: method.IsServerStream}, name)
	if err != nil {
		return err
	}
	if err := stream.SendMsg(request); err != nil {
		return err
	}
	if !method.IsClientStream {
		if err := stream.CloseSend(); err != nil {
			return err
		}
	}
	if err := stream.RecvMsg(response); err != nil {
		return err
	}
	if w, ok := response.(*pb.WatchResponse); ok && w.Canceled {
		return errors.New(w.CancelReason)
	}
	return nil
}

// serviceAndMethod splits a full name.
func serviceAndMethod(name string) (service, method string) {
	service, method, _ = strings.Cut(name[1:], "/")
	return service, method
}
