package zklog_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/memzk"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zklog"
)

// slowChunks is a dialer on whose connections a chunk but the first is read only
// when the reader has given up, and takes a moment more then.
type slowChunks struct {
	zkclient.Dialer
	held    chan struct{} // gets one for each chunk that is held
	reading atomic.Int64  // how many are being read
}

func (s *slowChunks) Dial(ctx context.Context) (zkclient.Conn, error) {
	return dialReading(ctx, s.Dialer, s.get)
}

func (s *slowChunks) get(ctx context.Context, conn zkclient.Conn, path string) ([]byte, *zk.Stat, error) {
	if !strings.Contains(path, "/c-") || strings.HasSuffix(path, "/c-0-0") || strings.HasSuffix(path, "/c-1-0") {
		return conn.Get(ctx, path)
	}
	s.reading.Add(1)
	defer s.reading.Add(-1)
	s.held <- struct{}{}
	select {
	case <-ctx.Done():
	case <-conn.Done():
	}
	<-time.After(20 * time.Millisecond)
	return nil, nil, zk.ErrConnectionClosed
}

// loadSlowly opens a log on a checkpoint of several chunks, of which all but the
// meta and the first are held back.
func loadSlowly(t *testing.T) (*slowChunks, *zklog.Log, *revision.Checkpoint) {
	e := memzk.New()
	a := small(t, e)
	fillTo(a, 3)
	require.NoError(t, save(a.log, 2))
	s := &slowChunks{Dialer: e, held: make(chan struct{}, 100)}
	log, err := zklog.Open(t.Context(), zklog.Config{Dialer: s, Root: "/zkine", Log: quiet()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, log.Close()) })
	cp, found := log.Checkpoint()
	require.True(t, found)
	return s, log, cp
}

// TestChunksEndWithTheirIteration leaves an iteration while chunks are being
// read ahead: once it has returned, none is.
func TestChunksEndWithTheirIteration(t *testing.T) {
	s, _, cp := loadSlowly(t)
	for _, err := range cp.Chunks(t.Context()) {
		require.NoError(t, err)
		<-s.held
		break
	}
	require.Zero(t, s.reading.Load())
}

// TestChunksEndWithTheLog closes a log within an iteration: once Close has
// returned, no chunk is being read.
func TestChunksEndWithTheLog(t *testing.T) {
	s, log, cp := loadSlowly(t)
	for _, err := range cp.Chunks(t.Context()) {
		require.NoError(t, err)
		<-s.held
		require.NoError(t, log.Close())
		require.Zero(t, s.reading.Load())
		break
	}
}
