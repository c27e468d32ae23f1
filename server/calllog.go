package server

import (
	"context"
	"time"

	"github.com/sirupsen/logrus"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/backend"
	"github.com/zkine/zkine/revision/throttle"
	"github.com/zkine/zkine/server/v3rpc"
	"github.com/zkine/zkine/server/wire"
)

// callLog logs calls that took long or that failed in a way for which there is no answer.
// Keys are logged, values never: they may be secrets.
type callLog struct {
	log   *logrus.Entry
	slow  time.Duration
	limit *slowLimit // nil if no call is logged as slow
}

// clocked is a call's context that knows where its time goes.
type clocked struct {
	context.Context
	timing backend.Timing
}

// Value implements context.Context.
func (c *clocked) Value(key any) any {
	if key == backend.TimingKey {
		return &c.timing
	}
	return c.Context.Value(key)
}

func (c *callLog) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	start := time.Now()
	call := &clocked{Context: ctx}
	resp, err := handler(call, req)
	c.logUnforeseen(info.FullMethod, err)
	took := time.Since(start)
	if took > c.slow && !waits[info.FullMethod] && c.limit.admit(info.FullMethod, took) {
		c.logSlow(call, info.FullMethod, took, req, resp, err)
	}
	return resp, err
}

func (c *callLog) stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	err := handler(srv, ss)
	c.logUnforeseen(info.FullMethod, err)
	return err
}

// logSlow says where the time went: waiting in the queue, in ZooKeeper, for the
// state to come to what ZooKeeper has, and for the answer to be made. Sending it
// comes after all that, and does not count.
func (c *callLog) logSlow(ctx *clocked, method string, took time.Duration, req, resp any, err error) {
	fields := logrus.Fields{"method": method, "took": took.String(), "code": status.Code(err).String()}
	queue, zookeeper, apply := ctx.timing.Phases()
	fields["queue"], fields["zookeeper"], fields["apply"] = rounded(queue), rounded(zookeeper), rounded(apply)
	fields["answer"] = rounded(max(0, took-queue-zookeeper-apply))
	if p, ok := peer.FromContext(ctx); ok {
		fields["client"] = p.Addr.String()
	}
	if m, ok := req.(proto.Message); ok {
		fields["request_bytes"] = proto.Size(m)
	}
	if m, ok := wire.Unmetered(resp).(proto.Message); ok && err == nil {
		fields["response_bytes"] = proto.Size(m)
	}
	describe(fields, req)
	c.log.WithFields(fields).Warn("slow request")
}

func rounded(d time.Duration) string { return d.Round(10 * time.Microsecond).String() }

// describe adds what identifies a request, and nothing of the values in it.
func describe(fields logrus.Fields, req any) {
	switch r := req.(type) {
	case *pb.RangeRequest:
		fields["key"], fields["range_end"] = loggedKey(r.Key), loggedKey(r.RangeEnd)
		fields["limit"], fields["revision"], fields["serializable"] = r.Limit, r.Revision, r.Serializable
		fields["count_only"], fields["keys_only"] = r.CountOnly, r.KeysOnly
	case *pb.PutRequest:
		fields["key"], fields["lease"] = loggedKey(r.Key), r.Lease
	case *pb.DeleteRangeRequest:
		fields["key"], fields["range_end"] = loggedKey(r.Key), loggedKey(r.RangeEnd)
	case *pb.TxnRequest:
		fields["compares"], fields["success_ops"], fields["failure_ops"] = len(r.Compare), len(r.Success), len(r.Failure)
		if len(r.Compare) > 0 {
			fields["key"] = loggedKey(r.Compare[0].Key)
		}
	case *pb.CompactionRequest:
		fields["revision"] = r.Revision
	}
}

func loggedKey(key []byte) string { return throttle.Cut(key) }

// logUnforeseen logs the errors that v3rpc has no answer for. They were not
// logged where they arose.
func (c *callLog) logUnforeseen(method string, err error) {
	if cause := v3rpc.Unforeseen(err); cause != nil {
		c.log.WithField("method", method).WithError(cause).Error("unforeseen error; answered Unknown")
	}
}
