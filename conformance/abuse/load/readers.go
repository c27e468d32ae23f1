package load

import (
	"context"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
)

const (
	// slowReaders is how many clients read slowly.
	slowReaders = 20
	// slowBytes is how many bytes each of them reads in a second.
	slowBytes = 1 << 10
	// wideWindow is how much half of them let the server send before they say that they have read.
	wideWindow = 64 << 20
)

// slowly has clients that read slowly: half of them with HTTP/2's smallest windows, half with such as hold all. What
// ends a stream makes a worker ask again.
func slowly(ctx context.Context, j Job, t *Tally, ask func(context.Context, *grpc.ClientConn) error) error {
	return workers(ctx, slowReaders, func(ctx context.Context, i int) error {
		var windows []grpc.DialOption
		if i%2 == 1 {
			windows = []grpc.DialOption{grpc.WithInitialWindowSize(wideWindow), grpc.WithInitialConnWindowSize(wideWindow)}
		}
		conn, err := dialSlow(j, slowBytes, windows...)
		if err != nil {
			return err
		}
		defer conn.Close()
		for ctx.Err() == nil {
			t.add("calls", 1)
			answered(ctx, t, ask(ctx, conn))
			pause(ctx, tricklePause)
		}
		return nil
	})
}

// slowLists reads the large list.
func slowLists(ctx context.Context, j Job, t *Tally) error {
	return slowly(ctx, j, t, func(ctx context.Context, conn *grpc.ClientConn) error {
		_, err := pb.NewKVClient(conn).Range(ctx, &pb.RangeRequest{Key: []byte(ListPrefix), RangeEnd: []byte("list0")})
		return err
	})
}

// slowEvents watches the many events from before the first of them.
func slowEvents(ctx context.Context, j Job, t *Tally) error {
	return slowly(ctx, j, t, func(ctx context.Context, conn *grpc.ClientConn) error {
		stream, err := pb.NewWatchClient(conn).Watch(ctx)
		if err != nil {
			return err
		}
		err = stream.Send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: &pb.WatchCreateRequest{
			Key: []byte(EventPrefix), RangeEnd: []byte("event0"), StartRevision: j.Revision + 1,
		}}})
		for err == nil {
			_, err = stream.Recv()
		}
		return err
	})
}

// stalledSnapshots asks for snapshots, reads the first part, and no more.
func stalledSnapshots(ctx context.Context, j Job, t *Tally) error {
	return workers(ctx, slowReaders, func(ctx context.Context, _ int) error {
		conn, err := dialGRPC(j)
		if err != nil {
			return err
		}
		defer conn.Close()
		for ctx.Err() == nil {
			stream, err := pb.NewMaintenanceClient(conn).Snapshot(ctx, &pb.SnapshotRequest{})
			if err == nil {
				_, err = stream.Recv()
			}
			if err == nil {
				t.add("begun", 1)
				<-ctx.Done()
				return nil
			}
			answered(ctx, t, err)
			pause(ctx, tricklePause)
		}
		return nil
	})
}
