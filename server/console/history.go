package console

import (
	"context"
	"net/http"
	"strconv"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	// mostVersions is how many revisions of a key are shown at a time, and mostHistoryBytes about how many bytes.
	mostVersions     = 20
	mostHistoryBytes = 2 << 20
	// endTime is how long it is looked for the end of a key that does not exist.
	endTime = 3 * time.Second
)

// past is a part of a key's history, the newest first.
type past struct {
	Versions []version `json:"versions"`
	// Next is the revision before which to go on; 0 if there is no more.
	Next int64 `json:"next,omitempty"`
	// Compacted says that there was more, which was compacted away.
	Compacted bool `json:"compacted,omitempty"`
	// Note is what was not found out, for people.
	Note string `json:"note,omitempty"`
}

// history shows the revisions of a key above the compaction floor: ?key= &before=, the next of the part before.
func (c *Console) history(r *http.Request, by *caller) (any, error) {
	key, err := keyOf(r, "key")
	if err != nil {
		return nil, err
	}
	before, _ := strconv.ParseInt(r.URL.Query().Get("before"), 10, 64)
	out := &past{Versions: []version{}}
	at := max(before-1, 0)
	kv, err := by.get(key, at)
	if err == nil && kv == nil && before == 0 {
		var deleted int64
		if deleted, kv, err = by.lastOf(key, out); deleted != 0 {
			out.Versions = append(out.Versions, version{Key: keyText(key), Modified: deleted, Deleted: true})
		}
	}
	bytes := 0
	for ; err == nil && kv != nil; kv, err = by.get(key, kv.ModRevision-1) {
		if len(out.Versions) >= mostVersions || bytes > mostHistoryBytes {
			out.Next = kv.ModRevision + 1
			return out, nil
		}
		v := c.readable(kv, options(r))
		out.Versions = append(out.Versions, v)
		bytes += len(v.Text)
		if kv.Version == 1 {
			return out, nil // it was created then
		}
	}
	if isCompacted(err) {
		out.Compacted, err = true, nil
	}
	return out, err
}

func isCompacted(err error) bool {
	s, ok := status.FromError(err)
	return ok && err != nil && s.Message() == rpctypes.ErrorDesc(rpctypes.ErrGRPCCompacted)
}

// lastOf looks for the end of a key that does not exist: the revision that deleted it, 0 if none is found, and what it
// was before. A watch from the floor on tells.
func (c *caller) lastOf(key []byte, out *past) (deleted int64, last *mvccpb.KeyValue, err error) {
	ctx, cancel := context.WithTimeout(c.ctx, endTime)
	defer cancel()
	w, err := watchFrom(ctx, c, key, 1)
	if err == nil && w.floor != 0 {
		w, err = watchFrom(ctx, c, key, w.floor)
	}
	switch {
	case c.ctx.Err() == nil && status.Code(err) == codes.DeadlineExceeded:
		out.Note = "The key does not exist, and its end was not found in time."
		return 0, nil, nil
	case err != nil || w.deletion == nil:
		return 0, nil, err
	}
	return w.deletion.Kv.ModRevision, w.deletion.PrevKv, nil
}

// watched is what a watch has told until it had come to the present: the last deletion, or the floor, if it was asked for
// what is below.
type watched struct {
	deletion *mvccpb.Event
	floor    int64
}

func watchFrom(ctx context.Context, c *caller, key []byte, from int64) (w watched, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := pb.NewWatchClient(c.Conn).Watch(ctx)
	if err != nil {
		return w, err
	}
	create := &pb.WatchCreateRequest{Key: key, StartRevision: from, PrevKv: true}
	if err := stream.Send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: create}}); err != nil {
		return w, err
	}
	for {
		resp, err := stream.Recv()
		switch {
		case err != nil:
			return w, err
		case resp.CompactRevision != 0:
			w.floor = resp.CompactRevision
			return w, nil
		case resp.Canceled:
			return w, status.Error(codes.PermissionDenied, resp.CancelReason)
		case resp.Created:
			// Its answer has no events, and comes when all have come.
			progress := &pb.WatchRequest{RequestUnion: &pb.WatchRequest_ProgressRequest{ProgressRequest: &pb.WatchProgressRequest{}}}
			if err := stream.Send(progress); err != nil {
				return w, err
			}
		case len(resp.Events) == 0:
			return w, nil
		}
		for _, e := range resp.Events {
			if e.Type == mvccpb.Event_DELETE {
				w.deletion = e
			}
		}
	}
}
