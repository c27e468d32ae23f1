package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"

	"github.com/zkine/zkine/conformance/bench/trace"
)

// ask makes a request and looks at the answer. k is the key of a write, which no other write has meanwhile.
func (p *player) ask(ctx context.Context, i int, r trace.Request, k *key) error {
	since, err := p.referred(ctx, r.Since)
	if err != nil {
		return err
	}
	lease, err := p.referred(ctx, r.Lease)
	if err != nil {
		return err
	}
	conn := p.conns[r.Conn]
	switch r.Kind {
	case trace.Range:
		return p.read(ctx, conn, i, r, since.revision)
	case trace.Stream:
		return p.readStream(ctx, conn, i, r, since.revision)
	case trace.Create, trace.Update, trace.Delete:
		return p.change(ctx, conn, i, r, k, lease.lease)
	case trace.Grant:
		a, err := pb.NewLeaseClient(conn).LeaseGrant(ctx, &pb.LeaseGrantRequest{TTL: r.TTL})
		p.meter.other()
		p.answered(i, a.GetHeader(), a.GetID())
		return err
	case trace.Compact:
		a, err := pb.NewKVClient(conn).Compact(ctx, &pb.CompactionRequest{Revision: since.revision})
		p.meter.other()
		p.answered(i, a.GetHeader(), 0)
		return err
	case trace.Status:
		a, err := pb.NewMaintenanceClient(conn).Status(ctx, &pb.StatusRequest{})
		p.meter.other()
		p.answered(i, a.GetHeader(), 0)
		return err
	}
	return fmt.Errorf("%q cannot be replayed", r.Kind)
}

func rangeOf(r trace.Request, revision int64) *pb.RangeRequest {
	return &pb.RangeRequest{
		Key: []byte(r.Key), RangeEnd: []byte(r.End), Limit: int64(r.Limit), Revision: revision,
		CountOnly: r.Count, KeysOnly: r.KeysOnly, Serializable: r.Serializable,
	}
}

func (p *player) read(ctx context.Context, conn *grpc.ClientConn, i int, r trace.Request, revision int64) error {
	sent := time.Now()
	a, err := pb.NewKVClient(conn).Range(ctx, rangeOf(r, revision))
	if r.End == "" {
		p.meter.get(time.Since(sent))
	} else {
		p.meter.other()
	}
	p.answered(i, a.GetHeader(), 0)
	return err
}

func (p *player) readStream(ctx context.Context, conn *grpc.ClientConn, i int, r trace.Request, revision int64) error {
	p.meter.other()
	stream, err := pb.NewKVClient(conn).RangeStream(ctx, rangeOf(r, revision))
	if err != nil {
		return err
	}
	var header *pb.ResponseHeader
	for {
		a, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			p.answered(i, header, 0)
			return nil
		}
		if err != nil {
			return err
		}
		if h := a.GetRangeResponse().GetHeader(); h.GetRevision() > 0 {
			header = h
		}
	}
}

var errOutcome = errors.New("a write does not come out as it was recorded")

// change makes kube-apiserver's transaction on a key.
func (p *player) change(ctx context.Context, conn *grpc.ClientConn, i int, r trace.Request, k *key, lease int64) error {
	request := &pb.TxnRequest{Compare: []*pb.Compare{comparison(r, k)}}
	one := []byte(r.Key)
	if r.Kind == trace.Delete {
		request.Success = []*pb.RequestOp{{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: &pb.DeleteRangeRequest{Key: one}}}}
	} else {
		put := &pb.PutRequest{Key: one, Value: p.values.next(r.Size), Lease: lease}
		request.Success = []*pb.RequestOp{{Request: &pb.RequestOp_RequestPut{RequestPut: put}}}
	}
	if r.Kind != trace.Create {
		request.Failure = []*pb.RequestOp{{Request: &pb.RequestOp_RequestRange{RequestRange: &pb.RangeRequest{Key: one}}}}
	}
	sent := time.Now()
	a, err := pb.NewKVClient(conn).Txn(ctx, request)
	if err != nil {
		return err
	}
	p.meter.update(time.Since(sent))
	p.answered(i, a.Header, 0)
	if !a.Succeeded && p.fleeting[r.Key] { // the lease has run out on a machine that is busy
		k.mod, k.version = found(a)
		return nil
	}
	if a.Succeeded == r.Stale {
		return fmt.Errorf("%w: succeeded: %t, with the key last changed at %d", errOutcome, a.Succeeded, k.mod)
	}
	if !a.Succeeded {
		return nil
	}
	k.mod, k.version = a.Header.Revision, k.version+1
	if r.Kind == trace.Delete {
		k.mod, k.version = 0, 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.writes = append(p.writes, write{a.Header.Revision, r.Key})
	return nil
}

// found is the key that a transaction which was refused has read, 0 if there is none.
func found(a *pb.TxnResponse) (mod, version int64) {
	for _, op := range a.Responses {
		for _, kv := range op.GetResponseRange().GetKvs() {
			mod, version = kv.ModRevision, kv.Version
		}
	}
	return mod, version
}

// comparison is a write's: with what the key is, or with what it was never, if the recorded one did not hold.
func comparison(r trace.Request, k *key) *pb.Compare {
	mod, version := k.mod, k.version
	switch {
	case r.Kind == trace.Create:
		mod, version = 0, 0
	case r.Stale:
		mod, version = 1, version+1000 // no key was ever changed at revision 1, the empty store's
	}
	c := &pb.Compare{Key: []byte(r.Key), Result: pb.Compare_EQUAL}
	if r.ByVersion {
		c.Target, c.TargetUnion = pb.Compare_VERSION, &pb.Compare_Version{Version: version}
	} else {
		c.Target, c.TargetUnion = pb.Compare_MOD, &pb.Compare_ModRevision{ModRevision: mod}
	}
	return c
}
