package load

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

const (
	// streamCount is how many watch streams one connection has.
	streamCount = 10_000
	// unreadStreams is how many streams never read, on a connection each.
	unreadStreams = 10
	// unreadMost is how many requests each of them sends.
	unreadMost = 200_000
)

func create(key string, id int64) *pb.WatchRequest {
	return &pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{
		CreateRequest: &pb.WatchCreateRequest{Key: []byte(key), WatchId: id},
	}}
}

// watchStreams has streams with a watch each on one connection.
func watchStreams(ctx context.Context, j Job, t *Tally) error {
	conn, err := dialGRPC(j)
	if err != nil {
		return err
	}
	defer conn.Close()
	var open atomic.Int64
	return workers(ctx, streamCount, func(ctx context.Context, i int) error {
		stream, err := pb.NewWatchClient(conn).Watch(ctx)
		if err == nil {
			err = stream.Send(create(fmt.Sprint("idle/", i), 0))
		}
		if err == nil {
			_, err = stream.Recv()
		}
		if err != nil {
			answered(ctx, t, err)
			return nil
		}
		t.most("streams at once", open.Add(1))
		defer open.Add(-1)
		_, err = stream.Recv() // there is nothing to come
		if ctx.Err() == nil {
			answered(ctx, t, err)
		}
		return nil
	})
}

// unread has streams that send, and never read.
func unread(ctx context.Context, j Job, t *Tally, request func(turn int) *pb.WatchRequest) error {
	return workers(ctx, unreadStreams, func(ctx context.Context, _ int) error {
		conn, err := dialGRPC(j)
		if err != nil {
			return err
		}
		defer conn.Close()
		for turn := 0; turn < unreadMost && ctx.Err() == nil; {
			stream, err := pb.NewWatchClient(conn).Watch(ctx)
			if err == nil {
				t.add("streams", 1)
			}
			sent := int64(0)
			for err == nil && turn < unreadMost {
				err = stream.Send(request(turn))
				turn++
				sent++
			}
			t.add("requests", sent)
			if !pause(ctx, 100*time.Millisecond) { // the server has ended the stream
				return nil
			}
		}
		<-ctx.Done()
		return nil
	})
}

// watchChurnUnread creates watches and cancels them.
func watchChurnUnread(ctx context.Context, j Job, t *Tally) error {
	return unread(ctx, j, t, func(turn int) *pb.WatchRequest {
		id := int64(1 + turn/2)
		if turn%2 == 0 {
			return create("idle/a", id)
		}
		return &pb.WatchRequest{RequestUnion: &pb.WatchRequest_CancelRequest{CancelRequest: &pb.WatchCancelRequest{WatchId: id}}}
	})
}

// progressUnread asks for progress.
func progressUnread(ctx context.Context, j Job, t *Tally) error {
	return unread(ctx, j, t, func(turn int) *pb.WatchRequest {
		if turn == 0 {
			return create("idle/a", 0)
		}
		return &pb.WatchRequest{RequestUnion: &pb.WatchRequest_ProgressRequest{ProgressRequest: &pb.WatchProgressRequest{}}}
	})
}

// refusedUnread asks for watches without the token that the server wants.
func refusedUnread(ctx context.Context, j Job, t *Tally) error {
	return unread(ctx, j, t, func(int) *pb.WatchRequest { return create("idle/a", 0) })
}
