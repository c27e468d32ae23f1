package logprint

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/authpb"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/backend/recovery"
	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
)

func slot() *recovery.Slot {
	return &recovery.Slot{Slot: revision.Slot{Seq: revision.Seq{Segment: 3, Slot: 7}, Origin: &revision.Origin{Written: 1_700_000_000_123, Writer: "one"}}}
}

func put(key, value string) *recordpb.Request {
	return &recordpb.Request{Kind: &recordpb.Request_Put{Put: &pb.PutRequest{Key: []byte(key), Value: []byte(value), Lease: 0x1f}}}
}

func TestALine(t *testing.T) {
	r := &recovery.Record{Slot: slot(), Request: put("/registry/pods/shop/web", "hello"), Revision: 12,
		Changes: []recovery.Change{{Key: "/registry/pods/shop/web", Kind: recovery.Create, Version: 1, Size: 5, Lease: 0x1f}}}
	line := Format{}.Show(r).String()
	require.Equal(t, []string{"3/7", "2023-11-14T22:13:20.123Z", "one", "12", "put", "put", "/registry/pods/shop/web", "(5", "bytes,", "lease", "1f)", "->", "created"}, strings.Fields(line))
	require.Len(t, strings.Fields(Head()), 6)

	r.Revision, r.Changes, r.Err = 11, nil, errors.New("requested lease not found")
	require.Contains(t, Format{}.Show(r).String(), ": refused: requested lease not found")
	r.Err = nil
	require.Contains(t, Format{}.Show(r).String(), " -> nothing changed")
	r.Revision = 0
	require.NotContains(t, Format{}.Show(r).String(), "->", "it was not replayed")
}

func TestValues(t *testing.T) {
	r := &recovery.Record{Slot: slot(), Request: put("/registry/pods/shop/web", strings.Repeat("ä", 100))}
	require.NotContains(t, Format{}.Show(r).String(), "ä")
	shown := Format{ValueBytes: 5}.Show(r)
	require.Equal(t, "ää", *shown.Ops[0].Value, "no half of a character")
	require.Contains(t, shown.String(), `= "ää"…`)
	binary := Format{ValueBytes: 5}.Show(&recovery.Record{Slot: slot(), Request: put("k", "\xff\x00abcdef")})
	require.Equal(t, []byte("\xff\x00abc"), binary.Ops[0].ValueBytes)
	line, err := json.Marshal(binary)
	require.NoError(t, err)
	require.Contains(t, string(line), `"value_base64":"/wBhYmM="`)
}

func TestSecretsAreMasked(t *testing.T) {
	secrets := map[string]string{
		"/registry/secrets/shop/db": "k8s\x00...",
		"/k8s/x/secrets/shop/db":    "s3cr3t",
		"/other/place":              "k8s\x00\x0a\x0c\x0a\x02v1\x12\x06Secret\x12\x05s3cr3t",
		"/json":                     `{"kind":"Secret","data":{"a":"s3cr3t"}}`,
		"/yaml":                     "kind: Secret\ndata:\n  a: s3cr3t",
		"/list":                     "k8s\x00\x0a\x10\x0a\x02v1\x12\x0aSecretList\x12\x05s3cr3t",
		"/inside":                   "k8s\x00\x0a\x0a\x0a\x02v1\x12\x04List" + strings.Repeat("x", 1000) + "\x12\x06Secret\x12\x05s3cr3t",
		"/json/later":               "{\"kind\":\"List\",\"items\":[{\n\"kind\" : \"Secret\", \"data\":\"s3cr3t\"}]}",
	}
	for key, value := range secrets {
		for _, request := range []*recordpb.Request{
			put(key, value),
			{Kind: &recordpb.Request_Txn{Txn: &pb.TxnRequest{Success: []*pb.RequestOp{{Request: &pb.RequestOp_RequestTxn{RequestTxn: &pb.TxnRequest{
				Failure: []*pb.RequestOp{{Request: &pb.RequestOp_RequestPut{RequestPut: put(key, value).GetPut()}}}}}}}}}},
		} {
			shown := Format{ValueBytes: 1 << 20}.Show(&recovery.Record{Slot: slot(), Request: request})
			require.True(t, shown.Ops[0].Masked, key)
			line, err := json.Marshal(shown)
			require.NoError(t, err)
			require.NotContains(t, string(line)+shown.String(), "s3cr3t")
			require.NotContains(t, string(line)+shown.String(), "k8s\\")
			require.Contains(t, shown.String(), "(not shown: it may be a Secret)")
		}
	}
	op := Format{ValueBytes: 1}.put(put("/a/secrets-of-the-sea", "v").GetPut())
	require.Equal(t, `put /a/secrets-of-the-sea (1 bytes, lease 1f) = "v"`, op.String())
}

// TestPasswordsAreNeverShown covers what records hold of users.
func TestPasswordsAreNeverShown(t *testing.T) {
	for _, request := range []*recordpb.Request{
		{Kind: &recordpb.Request_AuthUserAdd{AuthUserAdd: &pb.AuthUserAddRequest{Name: "ann", Password: "s3cr3t", HashedPassword: "s3cr3t"}}},
		{Kind: &recordpb.Request_AuthUserChangePassword{AuthUserChangePassword: &pb.AuthUserChangePasswordRequest{Name: "ann", Password: "s3cr3t", HashedPassword: "s3cr3t"}}},
		{Kind: &recordpb.Request_Authenticate{Authenticate: &pb.InternalAuthenticateRequest{Name: "ann", Password: "s3cr3t", SimpleToken: "s3cr3t"}}},
	} {
		shown := Format{ValueBytes: 1 << 20}.Show(&recovery.Record{Slot: slot(), Request: request})
		line, err := json.Marshal(shown)
		require.NoError(t, err)
		require.NotContains(t, string(line)+shown.String(), "s3cr3t")
		require.Contains(t, shown.String(), "user ann")
	}
}

// TestNamesCannotForgeLines covers users and roles, whose names are the client's choice.
func TestNamesCannotForgeLines(t *testing.T) {
	const name = "eve\n1/1 \x1b[2J"
	role := &pb.AuthUserGrantRoleRequest{User: name, Role: name}
	for _, request := range []*recordpb.Request{
		{Header: &pb.RequestHeader{Username: name}, Kind: &recordpb.Request_AuthUserAdd{AuthUserAdd: &pb.AuthUserAddRequest{Name: name}}},
		{Kind: &recordpb.Request_AuthUserDelete{AuthUserDelete: &pb.AuthUserDeleteRequest{Name: name}}},
		{Kind: &recordpb.Request_AuthUserChangePassword{AuthUserChangePassword: &pb.AuthUserChangePasswordRequest{Name: name}}},
		{Kind: &recordpb.Request_Authenticate{Authenticate: &pb.InternalAuthenticateRequest{Name: name}}},
		{Kind: &recordpb.Request_AuthUserGrantRole{AuthUserGrantRole: role}},
		{Kind: &recordpb.Request_AuthUserRevokeRole{AuthUserRevokeRole: &pb.AuthUserRevokeRoleRequest{Name: name, Role: name}}},
		{Kind: &recordpb.Request_AuthRoleAdd{AuthRoleAdd: &pb.AuthRoleAddRequest{Name: name}}},
		{Kind: &recordpb.Request_AuthRoleDelete{AuthRoleDelete: &pb.AuthRoleDeleteRequest{Role: name}}},
		{Kind: &recordpb.Request_AuthRoleGrantPermission{AuthRoleGrantPermission: &pb.AuthRoleGrantPermissionRequest{Name: name}}},
		{Kind: &recordpb.Request_AuthRoleRevokePermission{AuthRoleRevokePermission: &pb.AuthRoleRevokePermissionRequest{Role: name}}},
	} {
		line := strings.TrimSuffix(Format{}.Show(&recovery.Record{Slot: slot(), Request: request}).String(), "\n")
		require.NotContains(t, line, "\n")
		require.NotContains(t, line, "\x1b")
		require.Contains(t, line, `"eve\n1/1 \x1b[2J"`)
	}
}

// TestEveryKindHasAName goes through the kinds of requests that there are.
func TestEveryKindHasAName(t *testing.T) {
	fields := new(recordpb.Request).ProtoReflect().Descriptor().Oneofs().ByName("kind").Fields()
	require.Greater(t, fields.Len(), 20)
	seen := map[string]string{}
	for i := range fields.Len() {
		request := new(recordpb.Request)
		request.ProtoReflect().Set(fields.Get(i), request.ProtoReflect().NewField(fields.Get(i)))
		shown := Format{}.Show(&recovery.Record{Slot: slot(), Request: request})
		require.NotContains(t, []string{"", "unknown", "duplicate"}, shown.Kind, fields.Get(i).Name())
		require.Empty(t, seen[shown.Kind], "%s is %s, too", fields.Get(i).Name(), shown.Kind)
		seen[shown.Kind] = string(fields.Get(i).Name())
		require.True(t, utf8.ValidString(shown.String()))
	}
	grant := &recordpb.Request{Kind: &recordpb.Request_AuthRoleGrantPermission{AuthRoleGrantPermission: &pb.AuthRoleGrantPermissionRequest{Name: "r",
		Perm: &authpb.Permission{PermType: authpb.READWRITE, Key: []byte("/a/"), RangeEnd: []byte("/a0")}}}}
	require.Contains(t, Format{}.Show(&recovery.Record{Slot: slot(), Request: grant}).String(), "role r: readwrite /a/*")
}

func TestPrefixes(t *testing.T) {
	touches := func(key, end, prefix string) bool {
		op := ranged("delete", []byte(key), []byte(end))
		return op.touches(prefix)
	}
	require.True(t, touches("/a/b", "", "/a/"))
	require.False(t, touches("/b", "", "/a/"))
	require.True(t, touches("/", "0", "/a/"))
	require.True(t, touches("", "\x00", "/a/"))
	require.False(t, touches("/", "/a/", "/a/"), "it ends before")
	require.False(t, touches("/b", "/c", "/a/"))
	expired := Format{}.Show(&recovery.Record{Slot: slot(), Revision: 4, Changes: []recovery.Change{{Key: "/a/x", Kind: recovery.Expire}},
		Request: &recordpb.Request{Kind: &recordpb.Request_LeaseExpire{LeaseExpire: &recordpb.LeaseExpire{Id: 5}}}})
	require.True(t, expired.Touches("/a/"))
	require.False(t, expired.Touches("/b/"))
	require.Contains(t, expired.String(), "lease 5 -> expire /a/x")
}

func TestTransactions(t *testing.T) {
	txn := &recordpb.Request{Header: &pb.RequestHeader{Username: "ann"}, Kind: &recordpb.Request_Txn{Txn: &pb.TxnRequest{
		Compare: []*pb.Compare{{Key: []byte("/a")}},
		Success: []*pb.RequestOp{{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: []byte("/a"), Value: []byte("xy")}}}, {Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: &pb.DeleteRangeRequest{Key: []byte("/b/"), RangeEnd: []byte("/b0")}}}},
		Failure: []*pb.RequestOp{{Request: &pb.RequestOp_RequestRange{RequestRange: &pb.RangeRequest{Key: []byte("/a")}}}},
	}}}
	line := Format{}.Show(&recovery.Record{Slot: slot(), Request: txn, Revision: 5}).String()
	require.Contains(t, line, "if 1 compare holds: put /a (2 bytes); delete /b/* else: range /a -> nothing changed, for user ann")
}
