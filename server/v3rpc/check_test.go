package v3rpc

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

func put(key string) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: []byte(key)}}}
}

func del(key, end string) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestDeleteRange{
		RequestDeleteRange: &pb.DeleteRangeRequest{Key: []byte(key), RangeEnd: []byte(end)},
	}}
}

func get(key string) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestRange{RequestRange: &pb.RangeRequest{Key: []byte(key)}}}
}

func nest(then, otherwise []*pb.RequestOp) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestTxn{RequestTxn: &pb.TxnRequest{Success: then, Failure: otherwise}}}
}

func ops(list ...*pb.RequestOp) []*pb.RequestOp { return list }

func txn(then ...*pb.RequestOp) *pb.TxnRequest { return &pb.TxnRequest{Success: then} }

func many(n int, make func(i int) *pb.RequestOp) []*pb.RequestOp {
	var list []*pb.RequestOp
	for i := range n {
		list = append(list, make(i))
	}
	return list
}

// Each case's words are the ones that etcd 3.7.3 answers with.
var checkCases = []struct {
	name string
	req  proto.Message
	code codes.Code
	text string // "" is accepted
}{
	{"range", &pb.RangeRequest{Key: []byte("k")}, 0, ""},
	{"range without key", &pb.RangeRequest{}, codes.InvalidArgument, "etcdserver: key is not provided"},
	{"range sort order", &pb.RangeRequest{Key: []byte("k"), SortOrder: 3}, codes.InvalidArgument, "etcdserver: invalid sort option"},
	{"range sort target", &pb.RangeRequest{Key: []byte("k"), SortTarget: -1}, codes.InvalidArgument, "etcdserver: invalid sort option"},
	{"range key before sort", &pb.RangeRequest{SortTarget: 9}, codes.InvalidArgument, "etcdserver: key is not provided"},

	{"put without key", &pb.PutRequest{}, codes.InvalidArgument, "etcdserver: key is not provided"},
	{"put ignoring a value", &pb.PutRequest{Key: []byte("k"), Value: []byte("v"), IgnoreValue: true}, codes.InvalidArgument, "etcdserver: value is provided"},
	{"put ignoring no value", &pb.PutRequest{Key: []byte("k"), IgnoreValue: true, IgnoreLease: true}, 0, ""},
	{"put ignoring a lease", &pb.PutRequest{Key: []byte("k"), Lease: 1, IgnoreLease: true}, codes.InvalidArgument, "etcdserver: lease is provided"},
	{"put value before lease", &pb.PutRequest{Key: []byte("k"), Value: []byte("v"), IgnoreValue: true, Lease: 1, IgnoreLease: true}, codes.InvalidArgument, "etcdserver: value is provided"},
	{"delete without key", &pb.DeleteRangeRequest{RangeEnd: []byte{0}}, codes.InvalidArgument, "etcdserver: key is not provided"},

	{"empty txn", txn(), 0, ""},
	{"compare without key", &pb.TxnRequest{Compare: []*pb.Compare{{}}}, codes.InvalidArgument, "etcdserver: key is not provided"},
	{"empty op", txn(&pb.RequestOp{}), codes.InvalidArgument, "etcdserver: key not found"},
	{"empty op in failure", &pb.TxnRequest{Failure: ops(&pb.RequestOp{})}, codes.InvalidArgument, "etcdserver: key not found"},
	{"nested empty op", txn(nest(nil, ops(&pb.RequestOp{}))), codes.InvalidArgument, "etcdserver: key not found"},
	{"nested put without key", txn(nest(ops(put("")), nil)), codes.InvalidArgument, "etcdserver: key is not provided"},
	{"128 ops", txn(many(128, func(i int) *pb.RequestOp { return put(fmt.Sprint(i)) })...), 0, ""},
	{"129 ops", txn(many(129, func(int) *pb.RequestOp { return get("k") })...), codes.InvalidArgument, "etcdserver: too many operations in txn request"},
	{"129 compares", &pb.TxnRequest{Compare: make([]*pb.Compare, 129)}, codes.InvalidArgument, "etcdserver: too many operations in txn request"},
	{"129 in failure", &pb.TxnRequest{Failure: many(129, func(int) *pb.RequestOp { return get("k") })}, codes.InvalidArgument, "etcdserver: too many operations in txn request"},
	{"budget fits", txn(append(many(63, func(int) *pb.RequestOp { return get("k") }), nest(many(64, func(int) *pb.RequestOp { return get("k") }), nil))...), 0, ""},
	{"budget exceeded", txn(append(many(63, func(int) *pb.RequestOp { return get("k") }), nest(many(65, func(int) *pb.RequestOp { return get("k") }), nil))...), codes.InvalidArgument, "etcdserver: too many operations in txn request"},
	{"shape before overlap", txn(put("a"), put("a"), put("")), codes.InvalidArgument, "etcdserver: key is not provided"},

	{"two puts", txn(put("a"), put("a")), codes.InvalidArgument, "etcdserver: duplicate key given in txn request"},
	{"two puts in failure", &pb.TxnRequest{Failure: ops(put("a"), put("a"))}, codes.InvalidArgument, "etcdserver: duplicate key given in txn request"},
	{"one in each branch", &pb.TxnRequest{Success: ops(put("a")), Failure: ops(put("a"))}, 0, ""},
	{"put, delete", txn(put("a"), del("a", "")), codes.InvalidArgument, "etcdserver: duplicate key given in txn request"},
	{"delete range, put", txn(del("a", "c"), put("b")), codes.InvalidArgument, "etcdserver: duplicate key given in txn request"},
	{"put at the end of a range", txn(del("a", "c"), put("c")), 0, ""},
	{"delete, delete", txn(del("a", "c"), del("b", "d")), 0, ""},
	{"get, put", txn(get("a"), put("a")), 0, ""},
	{"delete from key escapes", txn(del("a", "\x00"), put("a"), put("b")), 0, ""},
	{"delete of nothing", txn(del("b", "a"), put("a"), put("b")), 0, ""},
	{"put and nested put", txn(put("a"), nest(ops(put("a")), nil)), codes.InvalidArgument, "etcdserver: duplicate key given in txn request"},
	{"nested branches share", txn(nest(ops(put("a")), ops(put("a")))), 0, ""},
	{"nested branches share, outer put", txn(nest(ops(put("a")), ops(put("a"))), put("a")), codes.InvalidArgument, "etcdserver: duplicate key given in txn request"},
	{"nested siblings", txn(nest(ops(put("a")), nil), nest(nil, ops(put("a")))), codes.InvalidArgument, "etcdserver: duplicate key given in txn request"},
	{"nested put, later nested delete", txn(nest(ops(put("a")), nil), nest(ops(del("a", "")), nil)), 0, ""},
	{"nested delete, later nested put", txn(nest(ops(del("a", "")), nil), nest(ops(put("a")), nil)), codes.InvalidArgument, "etcdserver: duplicate key given in txn request"},
	{"branches of one nested: delete, put", txn(nest(ops(del("a", "")), ops(put("a")))), 0, ""},
	{"outer delete after nested put", txn(nest(ops(put("a")), nil), del("a", "")), codes.InvalidArgument, "etcdserver: duplicate key given in txn request"},
}

func check(m proto.Message) error {
	switch r := m.(type) {
	case *pb.RangeRequest:
		return checkRange(r)
	case *pb.PutRequest:
		return checkPut(r)
	case *pb.DeleteRangeRequest:
		return checkDeleteRange(r)
	case *pb.TxnRequest:
		return checkTxn(r, maxTxnOps)
	}
	panic("no check for it")
}

func TestChecks(t *testing.T) {
	for _, c := range checkCases {
		t.Run(c.name, func(t *testing.T) { requireAnswer(t, c.code, c.text, check(c.req)) })
	}
}

func requireAnswer(t *testing.T, code codes.Code, text string, err error) {
	t.Helper()
	if text == "" {
		require.NoError(t, err)
		return
	}
	requireStatus(t, status.Error(code, text), err)
}

func TestCheckRangeStream(t *testing.T) {
	const sorted, filtered = "RangeStream does not support custom sort orders", "RangeStream does not support revision filters"
	for _, c := range []struct {
		name string
		req  *pb.RangeRequest
		text string
	}{
		{"plain", &pb.RangeRequest{}, ""},
		{"ascending keys", &pb.RangeRequest{SortOrder: pb.RangeRequest_ASCEND}, ""},
		{"descending keys", &pb.RangeRequest{SortOrder: pb.RangeRequest_DESCEND}, sorted},
		{"ascending values", &pb.RangeRequest{SortOrder: pb.RangeRequest_ASCEND, SortTarget: pb.RangeRequest_VALUE}, sorted},
		{"target without order", &pb.RangeRequest{SortTarget: pb.RangeRequest_MOD}, ""},
		{"min mod", &pb.RangeRequest{MinModRevision: 1}, filtered},
		{"max mod", &pb.RangeRequest{MaxModRevision: -1}, filtered},
		{"min create", &pb.RangeRequest{MinCreateRevision: 1}, filtered},
		{"max create", &pb.RangeRequest{MaxCreateRevision: 1}, filtered},
		{"sort before filter", &pb.RangeRequest{SortOrder: pb.RangeRequest_DESCEND, MaxCreateRevision: 1}, sorted},
		{"filter with a target", &pb.RangeRequest{SortTarget: pb.RangeRequest_MOD, MaxCreateRevision: 1}, filtered},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.req.Key = []byte("k")
			requireAnswer(t, codes.Unimplemented, c.text, checkRangeStream(c.req))
		})
	}
	requireAnswer(t, codes.InvalidArgument, "etcdserver: key is not provided", checkRangeStream(&pb.RangeRequest{SortOrder: pb.RangeRequest_DESCEND}))
}

// The size that counts is that of the request as it goes into etcd's raft log.
func TestCheckSize(t *testing.T) {
	r := &pb.PutRequest{Key: []byte("k"), Value: []byte(strings.Repeat("v", 1000))}
	wrapped := proto.Size(r) + 3 + 14 // tag and length of put; header with its id
	require.NoError(t, checkSize(&pb.InternalRaftRequest{Put: r}, wrapped))
	requireAnswer(t, codes.InvalidArgument, "etcdserver: request is too large", checkSize(&pb.InternalRaftRequest{Put: r}, wrapped-1))
}

func TestReadOnly(t *testing.T) {
	require.True(t, ReadOnly(txn(get("a"), get("b"))))
	require.False(t, ReadOnly(txn(get("a"), put("b"))))
	require.False(t, ReadOnly(&pb.TxnRequest{Failure: ops(del("a", ""))}))
	require.False(t, ReadOnly(txn(nest(ops(get("a")), nil))), "etcd does not look into nested ones")
}
