package backend

import (
	"context"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/backend/memlog"
	"github.com/zkine/zkine/revision"
)

// slowLog is a log that needs some time for each slot, and begins anew when it is
// cut off.
type slowLog struct {
	*memlog.Log
	takes atomic.Int64 // a time.Duration
}

func (s *slowLog) Next(ctx context.Context) (revision.Slot, error) {
	select {
	case <-time.After(time.Duration(s.takes.Load())):
		return s.Log.Next(ctx)
	case <-ctx.Done():
		return revision.Slot{}, context.Cause(ctx)
	}
}

// TestApplyGoesOnWhileNothingCanBeSwept holds what a compaction has left to
// free, as a checkpoint does, on a log whose reads take longer than the
// apply loop waits for a slot at first.
func TestApplyGoesOnWhileNothingCanBeSwept(t *testing.T) {
	quiet := logrus.New()
	quiet.SetOutput(io.Discard)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	slow := &slowLog{Log: memlog.New().Open()}
	b, err := Open(ctx, slow, Config{Member: revision.Member{Name: "a", ID: 1}, Log: logrus.NewEntry(quiet)})
	require.NoError(t, err)
	defer func() { require.NoError(t, b.Close()) }()
	b.housekeeper.Physical().Hold()
	for range 3 {
		_, err = b.Put(ctx, &pb.PutRequest{Key: []byte("k")})
		require.NoError(t, err)
	}
	_, err = b.Compact(ctx, &pb.CompactionRequest{Revision: 3})
	require.NoError(t, err)
	slow.takes.Store(int64(5 * idleTime))
	for range 3 { // the first may still be met by a quick Next
		_, err = b.Put(ctx, &pb.PutRequest{Key: []byte("k")})
		require.NoError(t, err)
	}
}
