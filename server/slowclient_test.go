package server_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/revision/memzk"
	"github.com/zkine/zkine/server"
)

func createWatch(r *pb.WatchCreateRequest) *pb.WatchRequest {
	return &pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: r}}
}

// TestAWatchStreamThatIsNotReadIsNotListenedTo: what is refused, cancelled and asked for
// waits with the client once a few answers wait here.
func TestAWatchStreamThatIsNotReadIsNotListenedTo(t *testing.T) {
	addr := listenReal(t, memzk.New(), server.Config{}, "http://127.0.0.1:0")[0].Addr().String()
	asks := map[string]*pb.WatchRequest{
		"refused":  createWatch(&pb.WatchCreateRequest{Key: []byte("k"), StartRevision: -1}),
		"progress": {RequestUnion: &pb.WatchRequest_ProgressRequest{ProgressRequest: &pb.WatchProgressRequest{}}},
	}
	const streams = 50
	for name, ask := range asks {
		t.Run(name, func(t *testing.T) {
			before := settled(t)
			c := newMuteClient(t, addr)
			first, more := framed(t, createWatch(&pb.WatchCreateRequest{Key: []byte("k")})), framed(t, ask)
			var all []uint32
			for range streams {
				stream := c.call("/etcdserverpb.Watch/Watch")
				require.True(t, c.send(stream, 0, first))
				all = append(all, stream)
			}
			c.sendOn(t, all, more)
			took := settled(t) - before
			t.Logf("%d streams: %d KiB, %d KiB each", streams, took>>10, took>>10/streams)
			require.Less(t, took, int64(streams)<<20)
		})
	}
}
