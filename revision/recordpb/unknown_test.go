package recordpb_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/zkine/zkine/revision/recordpb"
)

// unknownField is one that no message has.
func unknownField() []byte {
	return protowire.AppendVarint(protowire.AppendTag(nil, 999, protowire.VarintType), 1)
}

// Wherever in a request an unknown field is, it goes, and nothing else does.
func TestStripUnknown(t *testing.T) {
	op := func(r *pb.RequestOp) []*pb.RequestOp { return []*pb.RequestOp{r, {}} }
	inner := &pb.TxnRequest{
		Compare: []*pb.Compare{{Key: []byte("a"), TargetUnion: &pb.Compare_ModRevision{ModRevision: 7}}},
		Success: op(&pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: []byte("k")}}}),
		Failure: op(&pb.RequestOp{Request: &pb.RequestOp_RequestRange{RequestRange: &pb.RangeRequest{Key: []byte("k")}}}),
	}
	outer := &pb.TxnRequest{
		Success: op(&pb.RequestOp{Request: &pb.RequestOp_RequestTxn{RequestTxn: inner}}),
		Failure: op(&pb.RequestOp{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: &pb.DeleteRangeRequest{Key: []byte("k")}}}),
	}
	header := &pb.RequestHeader{Username: "root"}
	for _, r := range []*recordpb.Request{
		{Header: header, Kind: &recordpb.Request_Txn{Txn: outer}},
		{Header: header, Kind: &recordpb.Request_Put{Put: &pb.PutRequest{Key: []byte("k")}}},
		{Header: header, Kind: &recordpb.Request_DeleteRange{DeleteRange: &pb.DeleteRangeRequest{Key: []byte("k")}}},
		{Header: header, Kind: &recordpb.Request_Compaction{Compaction: &pb.CompactionRequest{Revision: 3}}},
		{Header: header, Kind: &recordpb.Request_AuthRoleGrantPermission{AuthRoleGrantPermission: &pb.AuthRoleGrantPermissionRequest{Name: "r"}}},
		{},
		{Kind: &recordpb.Request_Put{}},
	} {
		clean := proto.CloneOf(r)
		for i := range messagesOf(r.ProtoReflect()) {
			dirty := proto.CloneOf(clean)
			messagesOf(dirty.ProtoReflect())[i].SetUnknown(unknownField())
			require.True(t, recordpb.HasUnknown(dirty))
			recordpb.StripUnknown(dirty)
			require.False(t, recordpb.HasUnknown(dirty))
			require.True(t, proto.Equal(clean, dirty), "message %d of %v", i, clean)
		}
	}
}

// messagesOf is m and all messages in it.
func messagesOf(m protoreflect.Message) []protoreflect.Message {
	if !m.IsValid() {
		return nil
	}
	all := []protoreflect.Message{m}
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case fd.Message() == nil:
		case fd.IsList():
			for i := range v.List().Len() {
				all = append(all, messagesOf(v.List().Get(i).Message())...)
			}
		default:
			all = append(all, messagesOf(v.Message())...)
		}
		return true
	})
	return all
}
