package state

import (
	"encoding/base64"
	"fmt"
	"testing"

	"go.etcd.io/etcd/api/v3/authpb"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/revision/recordpb"
)

func (g *gen) user() string {
	if g.oneIn(20) {
		return ""
	}
	return []string{"root", "alice", "bob", "carol"}[g.IntN(4)]
}

func (g *gen) role() string {
	if g.oneIn(20) {
		return ""
	}
	return []string{"root", "r1", "r2", "r3"}[g.IntN(4)]
}

// authChange draws a change of users and roles.
func (g *gen) authChange() any {
	hash := base64.StdEncoding.EncodeToString(g.value())
	switch g.IntN(12) {
	case 0, 1:
		return &pb.AuthUserAddRequest{Name: g.user(), HashedPassword: hash, Options: &authpb.UserAddOptions{NoPassword: g.oneIn(4)}}
	case 2:
		if g.oneIn(3) {
			return &pb.AuthUserDeleteRequest{Name: g.user()}
		}
		return &pb.AuthUserChangePasswordRequest{Name: g.user(), HashedPassword: hash}
	case 3, 4:
		return &pb.AuthUserGrantRoleRequest{User: g.user(), Role: g.role()}
	case 5:
		return &pb.AuthUserRevokeRoleRequest{Name: g.user(), Role: g.role()}
	case 6, 7:
		return &pb.AuthRoleAddRequest{Name: g.role()}
	case 8:
		if g.oneIn(3) {
			return &pb.AuthRoleDeleteRequest{Role: g.role()}
		}
		r := &pb.AuthRoleRevokePermissionRequest{Role: g.role()}
		r.Key, r.RangeEnd = g.keyRange()
		return r
	}
	r := &pb.AuthRoleGrantPermissionRequest{Name: g.role()}
	if !g.oneIn(20) {
		r.Perm = &authpb.Permission{PermType: authpb.Permission_Type(g.IntN(3))}
		r.Perm.Key, r.Perm.RangeEnd = g.keyRange()
	}
	return r
}

func authRecord(message any) *recordpb.Request {
	switch r := message.(type) {
	case *pb.InternalAuthenticateRequest:
		return &recordpb.Request{Kind: &recordpb.Request_Authenticate{Authenticate: r}}
	case *pb.AuthEnableRequest:
		return &recordpb.Request{Kind: &recordpb.Request_AuthEnable{AuthEnable: r}}
	case *pb.AuthDisableRequest:
		return &recordpb.Request{Kind: &recordpb.Request_AuthDisable{AuthDisable: r}}
	case *pb.AuthUserAddRequest:
		return &recordpb.Request{Kind: &recordpb.Request_AuthUserAdd{AuthUserAdd: r}}
	case *pb.AuthUserDeleteRequest:
		return &recordpb.Request{Kind: &recordpb.Request_AuthUserDelete{AuthUserDelete: r}}
	case *pb.AuthUserChangePasswordRequest:
		return &recordpb.Request{Kind: &recordpb.Request_AuthUserChangePassword{AuthUserChangePassword: r}}
	case *pb.AuthUserGrantRoleRequest:
		return &recordpb.Request{Kind: &recordpb.Request_AuthUserGrantRole{AuthUserGrantRole: r}}
	case *pb.AuthUserRevokeRoleRequest:
		return &recordpb.Request{Kind: &recordpb.Request_AuthUserRevokeRole{AuthUserRevokeRole: r}}
	case *pb.AuthRoleAddRequest:
		return &recordpb.Request{Kind: &recordpb.Request_AuthRoleAdd{AuthRoleAdd: r}}
	case *pb.AuthRoleDeleteRequest:
		return &recordpb.Request{Kind: &recordpb.Request_AuthRoleDelete{AuthRoleDelete: r}}
	case *pb.AuthRoleGrantPermissionRequest:
		return &recordpb.Request{Kind: &recordpb.Request_AuthRoleGrantPermission{AuthRoleGrantPermission: r}}
	case *pb.AuthRoleRevokePermissionRequest:
		return &recordpb.Request{Kind: &recordpb.Request_AuthRoleRevokePermission{AuthRoleRevokePermission: r}}
	}
	panic(fmt.Sprintf("no request: %T", message))
}

// TestAuthRandom compares the machine with the model while users do this and
// that: which requests are refused, and with which error, and what there is of
// users and roles. Views taken on the way must not change.
func TestAuthRandom(t *testing.T) {
	rounds, steps := 25, 250
	if testing.Short() {
		rounds = 10
	}
	denied, done := 0, 0
	for range rounds {
		b, model := newBench(t), newModel()
		g := &gen{Rand: newRand(t)}
		var old *View
		var oldText string
		for range steps {
			g.rev, g.floor = model.rev, model.floor
			if g.oneIn(20) {
				old, oldText = b.View(), authString(b.View())
			}
			r := g.asUser(model)
			want, wantErr := model.apply(r)
			a := b.Apply(b.slot(r))
			same(t, r.String(), a.Results[0].Response, a.Results[0].Err, want, wantErr)
			switch {
			case wantErr == ErrPermissionDenied:
				denied++
			case model.auth.enabled && wantErr == nil && r.GetHeader() != nil:
				done++
			}
			if got, want := authString(b.View()), model.auth.String(); got != want {
				t.Fatalf("after %v\ngot  %s\nwant %s", r, got, want)
			}
			if old != nil && authString(old) != oldText {
				t.Fatalf("a view has changed, by %v", r)
			}
		}
	}
	if denied < rounds || done < rounds {
		t.Errorf("%d denied, %d done", denied, done)
	}
}

// asUser draws a request, and who makes it.
func (g *gen) asUser(m *model) *recordpb.Request {
	var r *recordpb.Request
	switch n := g.IntN(100); {
	case n < 2:
		r = authRecord(&pb.AuthDisableRequest{})
	case n < 8:
		r = authRecord(&pb.AuthEnableRequest{})
	case n < 45:
		r = authRecord(g.authChange())
	default:
		r = g.request()
	}
	if !m.auth.enabled && g.oneIn(3) {
		// Without root nothing begins.
		r = authRecord([]any{
			&pb.AuthUserAddRequest{Name: "root"}, &pb.AuthUserGrantRoleRequest{User: "root", Role: "root"}, &pb.AuthEnableRequest{},
		}[g.IntN(3)])
	}
	if !g.oneIn(10) {
		who := g.user()
		if g.oneIn(3) {
			who = "root"
		}
		r.Header = &pb.RequestHeader{Username: who, AuthRevision: m.auth.rev}
		if g.oneIn(10) {
			r.Header.AuthRevision -= g.Uint64N(m.auth.rev)
		}
	}
	return r
}
