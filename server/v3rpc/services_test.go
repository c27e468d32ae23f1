package v3rpc

import (
	"context"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/server/servertest"
)

func TestMemberList(t *testing.T) {
	r := start(t)
	resp, err := pb.NewClusterClient(r.Conn).MemberList(ctxFor(t), &pb.MemberListRequest{Linearizable: true})
	require.NoError(t, err)
	servertest.RequireHeader(t, 0, resp.Header) // as etcd's
	require.Equal(t, []any{servertest.MembersCall{Linearizable: true}}, r.backend.Requests())
	require.Len(t, resp.Members, 2)
	require.True(t, proto.Equal(&pb.Member{
		ID: servertest.MemberID, Name: "one", PeerURLs: []string{"http://one:2379"}, ClientURLs: []string{"http://one:2379"},
	}, resp.Members[0]))

	r.backend.Fail(revision.ErrUnavailable)
	_, err = pb.NewClusterClient(r.Conn).MemberList(ctxFor(t), &pb.MemberListRequest{})
	requireStatus(t, rpctypes.ErrGRPCNoLeader, err)
}

// Every call that is not served says so by its name, and does not come near
// the backend.
func TestRefusedByName(t *testing.T) {
	r := start(t)
	served := map[string]bool{"MemberList": true}
	for _, client := range []any{pb.NewClusterClient(r.Conn)} {
		v := reflect.ValueOf(client)
		for i := range v.NumMethod() {
			name := v.Type().Method(i).Name
			if served[name] {
				continue
			}
			t.Run(name, func(t *testing.T) {
				err := callByReflection(ctxFor(t), v.Method(i))
				require.Equal(t, codes.Unimplemented, status.Code(err))
				require.True(t, strings.HasPrefix(status.Convert(err).Message(), "zkine: "+name+" is not supported: "), err)
			})
		}
	}
	require.Empty(t, r.backend.Requests())
}

// callByReflection calls a client's method with an empty request, but for the
// URLs without which there is none.
func callByReflection(ctx context.Context, method reflect.Value) error {
	req := reflect.New(method.Type().In(1).Elem())
	if urls := req.Elem().FieldByName("PeerURLs"); urls.IsValid() {
		urls.Set(reflect.ValueOf([]string{"http://127.0.0.1:1"}))
	}
	out := method.Call([]reflect.Value{reflect.ValueOf(ctx), req})
	if err, _ := out[1].Interface().(error); err != nil {
		return err
	}
	return nil
}
