package state

import (
	"encoding/base64"
	"fmt"
	"slices"
	"testing"

	"go.etcd.io/etcd/api/v3/authpb"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/revision/recordpb"
)

// enabled is a bench where authentication counts, with a user alice who may
// read and write [a, c).
func enabled(t *testing.T) *bench {
	b := newBench(t)
	for _, message := range []any{
		&pb.AuthUserAddRequest{Name: "root"},
		&pb.AuthUserGrantRoleRequest{User: "root", Role: "root"},
		&pb.AuthUserAddRequest{Name: "alice"},
		&pb.AuthRoleAddRequest{Name: "r"},
		&pb.AuthRoleGrantPermissionRequest{Name: "r", Perm: permission(authpb.Permission_READWRITE, "a", "b")},
		&pb.AuthRoleGrantPermissionRequest{Name: "r", Perm: permission(authpb.Permission_READWRITE, "b", "c")},
		&pb.AuthUserGrantRoleRequest{User: "alice", Role: "r"},
		&pb.AuthEnableRequest{},
	} {
		b.ok(message)
	}
	return b
}

func permission(kind authpb.Permission_Type, key, end string) *authpb.Permission {
	return &authpb.Permission{PermType: kind, Key: []byte(key), RangeEnd: []byte(end)}
}

// as applies a request of a user at the current auth revision.
func (b *bench) as(user string, message any) error {
	b.t.Helper()
	r := request(message)
	r.Header = &pb.RequestHeader{Username: user, AuthRevision: b.View().AuthRevision()}
	return b.Apply(b.slot(r)).Results[0].Err
}

func TestAuthEnableNeedsRoot(t *testing.T) {
	b := newBench(t)
	b.fails(&pb.AuthEnableRequest{}, ErrRootUserNotExist)
	b.ok(&pb.AuthUserAddRequest{Name: "root"})
	b.fails(&pb.AuthEnableRequest{}, ErrRootRoleNotExist)
	b.ok(&pb.AuthUserGrantRoleRequest{User: "root", Role: "root"})
	if rev := b.View().AuthRevision(); rev != 3 {
		t.Fatalf("auth revision %d", rev)
	}
	before := b.View()
	b.ok(&pb.AuthEnableRequest{})
	if v := b.View(); !v.AuthEnabled() || v.AuthRevision() != 3 || before.AuthEnabled() {
		t.Fatalf("enabled %v at %d, before %v", v.AuthEnabled(), v.AuthRevision(), before.AuthEnabled())
	}
	b.fails(&pb.AuthDisableRequest{}, ErrUserEmpty)
	if err := b.as("root", &pb.AuthDisableRequest{}); err != nil {
		t.Fatal(err)
	}
	b.ok(&pb.AuthDisableRequest{})
	if v := b.View(); v.AuthEnabled() || v.AuthRevision() != 4 {
		t.Fatalf("enabled %v at %d", v.AuthEnabled(), v.AuthRevision())
	}
}

func TestRefusalsByUser(t *testing.T) {
	b := enabled(t)
	put := func(key string, lease int64) any { return &pb.PutRequest{Key: []byte(key), Lease: lease} }
	b.ok(&pb.LeaseGrantRequest{ID: 1, TTL: 100})
	b.ok(&pb.LeaseGrantRequest{ID: 2, TTL: 100})
	for i, c := range []struct {
		user    string
		message any
		want    error
	}{
		{"alice", put("a", 1), nil},
		{"alice", put("c", 0), ErrPermissionDenied},
		{"root", put("z", 2), nil},
		{"alice", put("b", 2), ErrPermissionDenied}, // could not revoke it
		{"nobody", put("a", 0), ErrPermissionDenied},
		{"alice", &pb.DeleteRangeRequest{Key: []byte("a"), RangeEnd: []byte("c")}, nil}, // of two permissions
		{"alice", &pb.DeleteRangeRequest{Key: []byte("a"), RangeEnd: []byte("c\x00")}, ErrPermissionDenied},
		{"alice", &pb.DeleteRangeRequest{Key: []byte("a"), RangeEnd: []byte{0}}, ErrPermissionDenied},
		{"alice", &pb.TxnRequest{Failure: []*pb.RequestOp{{Request: &pb.RequestOp_RequestRange{RequestRange: &pb.RangeRequest{Key: []byte("x")}}}}}, ErrPermissionDenied},
		{"alice", &pb.TxnRequest{Compare: []*pb.Compare{{Key: []byte("x")}}}, ErrPermissionDenied},
		{"alice", &pb.LeaseRevokeRequest{ID: 2}, ErrPermissionDenied},
		{"alice", &pb.LeaseRevokeRequest{ID: 3}, ErrLeaseNotFound},
		{"alice", &pb.LeaseRevokeRequest{ID: 1}, nil},
		{"alice", &pb.AuthUserAddRequest{Name: "eve"}, ErrPermissionDenied},
		{"nobody", &pb.AuthUserAddRequest{Name: "eve"}, ErrUserNotFound},
		{"root", &pb.AuthUserDeleteRequest{Name: "root"}, ErrInvalidAuthMgmt},
		{"root", &pb.AuthUserRevokeRoleRequest{Name: "root", Role: "root"}, ErrInvalidAuthMgmt},
		{"root", &pb.AuthRoleDeleteRequest{Role: "root"}, ErrInvalidAuthMgmt},
	} {
		if err := b.as(c.user, c.message); err != c.want {
			t.Fatalf("%d: %v, want %v", i, err, c.want)
		}
	}
	// What zkine itself asks for bears no name.
	b.ok(&recordpb.LeaseExpire{Id: 2, Renewed: func() uint64 { l, _ := b.View().Lease(2); return l.Renewed }()})
	b.fails(put("a", 0), ErrUserEmpty)
}

func TestOldAuthRevision(t *testing.T) {
	b := enabled(t)
	r := request(&pb.PutRequest{Key: []byte("a")})
	r.Header = &pb.RequestHeader{Username: "root", AuthRevision: b.View().AuthRevision()}
	revoke := request(&pb.AuthUserRevokeRoleRequest{Name: "alice", Role: "r"})
	revoke.Header = r.Header
	a := b.Apply(b.slot(r, revoke, r))
	if a.Results[0].Err != nil || a.Results[1].Err != nil || a.Results[2].Err != ErrAuthOldRevision {
		t.Fatalf("%+v", a.Results)
	}
	if err := b.as("alice", &pb.PutRequest{Key: []byte("a")}); err != ErrPermissionDenied {
		t.Fatal(err)
	}
}

// A password in the clear must not have come here, and is not taken.
func TestPasswordsAreHashes(t *testing.T) {
	b := newBench(t)
	b.fails(&pb.AuthUserAddRequest{Name: "alice", Password: "secret"}, ErrMalformed)
	b.fails(&pb.AuthUserAddRequest{Name: "alice", HashedPassword: "?"}, ErrNoPasswordUser)
	b.ok(&pb.AuthUserAddRequest{Name: "alice", HashedPassword: base64.StdEncoding.EncodeToString([]byte("hash"))})
	b.fails(&pb.AuthUserChangePasswordRequest{Name: "alice", Password: "secret"}, ErrMalformed)
	u, _ := b.View().User("alice")
	if string(u.Password) != "hash" {
		t.Fatalf("%q", u.Password)
	}
}

func TestTokenChanges(t *testing.T) {
	b := enabled(t)
	root := func(message any) *recordpb.Request {
		r := request(message)
		r.Header = &pb.RequestHeader{Username: "root", AuthRevision: 99}
		return r
	}
	slot := b.slot(
		request(&pb.InternalAuthenticateRequest{Name: "alice", SimpleToken: "x"}),
		request(&pb.InternalAuthenticateRequest{Name: "nobody", SimpleToken: "y"}),
		root(&pb.AuthUserChangePasswordRequest{Name: "alice"}),
		root(&pb.AuthUserDeleteRequest{Name: "alice"}),
		root(&pb.AuthDisableRequest{}),
		request(&pb.InternalAuthenticateRequest{Name: "root", SimpleToken: "z"}),
	)
	a := b.Apply(slot)
	token := fmt.Sprintf("x.%d", slot.Seq.Index())
	if want := []AuthChange{
		{TokenGranted, "alice", token}, {Kind: UserInvalidated, User: "alice"}, {Kind: UserInvalidated, User: "alice"}, {Kind: AuthDisabled},
	}; !slices.Equal(a.Auth, want) {
		t.Fatalf("%v, want %v", a.Auth, want)
	}
	if got := a.Results[0].Response.(*pb.AuthenticateResponse).Token; got != token {
		t.Fatalf("token %q", got)
	}
	if a.Results[1].Err != ErrAuthFailed || a.Results[5].Err != ErrAuthNotEnabled {
		t.Fatalf("%+v", a.Results)
	}
}

func TestDigestKnowsUsers(t *testing.T) {
	digests := map[uint64]bool{}
	for _, message := range []any{
		&pb.AuthDisableRequest{}, // changes nothing
		&pb.AuthUserAddRequest{Name: "a"},
		&pb.AuthUserAddRequest{Name: "a", HashedPassword: "cA=="},
		&pb.AuthUserAddRequest{Name: "a", Options: &authpb.UserAddOptions{NoPassword: true}},
		&pb.AuthRoleAddRequest{Name: "a"},
	} {
		b := newBench(t)
		b.ok(message)
		digests[digestOf(t, b.Machine)] = true
	}
	if len(digests) != 5 {
		t.Fatalf("%d different digests", len(digests))
	}
}
