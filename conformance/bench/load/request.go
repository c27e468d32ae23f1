package load

import (
	"fmt"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"
)

const (
	rangeMethod       = pb.KV_Range_FullMethodName
	rangeStreamMethod = pb.KV_RangeStream_FullMethodName
	putMethod         = pb.KV_Put_FullMethodName
	txnMethod         = pb.KV_Txn_FullMethodName
	watchMethod       = pb.Watch_Watch_FullMethodName
	grantMethod       = pb.Lease_LeaseGrant_FullMethodName
	revokeMethod      = pb.Lease_LeaseRevoke_FullMethodName
	keepAliveMethod   = pb.Lease_LeaseKeepAlive_FullMethodName
)

// marshal makes a request's frame in the buffer.
func marshal(buffer frame, m proto.Message) (frame, error) {
	return proto.MarshalOptions{}.MarshalAppend(buffer[:0], m)
}

// mustMarshal is for messages that cannot fail to marshal: those without strings that come from elsewhere.
func mustMarshal(m proto.Message) frame {
	b, err := proto.Marshal(m)
	if err != nil {
		panic(err)
	}
	return b
}

var readyRequest = mustMarshal(&pb.RangeRequest{Key: []byte("ready")})

// rangeEnd is the first key after all that have the prefix, which must not end in 0xff.
func rangeEnd(prefix string) []byte {
	end := []byte(prefix)
	end[len(end)-1]++
	return end
}

// prefixRequest lists what has the prefix.
func prefixRequest(prefix string) *pb.RangeRequest {
	return &pb.RangeRequest{Key: []byte(prefix), RangeEnd: rangeEnd(prefix)}
}

// namespaces is how many a data set has, with as many keys each.
const namespaces = 100

// namespacePrefix is what the keys of a namespace begin with.
func namespacePrefix(prefix string, namespace int) string {
	return fmt.Sprintf("%sns-%02d/", prefix, namespace%namespaces)
}

// keyName is the name of a key of a data set.
func keyName(prefix string, i int) string {
	return fmt.Sprintf("%spod-%07d", namespacePrefix(prefix, i), i)
}

// compareMod holds while a key's last change was at the revision; 0 while there is no such key.
func compareMod(key []byte, revision int64) *pb.Compare {
	return &pb.Compare{
		Key: key, Target: pb.Compare_MOD, Result: pb.Compare_EQUAL,
		TargetUnion: &pb.Compare_ModRevision{ModRevision: revision},
	}
}

func putOp(key, value []byte) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: key, Value: value}}}
}

func getOp(key []byte) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestRange{RequestRange: &pb.RangeRequest{Key: key}}}
}

func deleteOp(key []byte) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: &pb.DeleteRangeRequest{Key: key}}}
}
