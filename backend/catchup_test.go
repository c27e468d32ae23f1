package backend_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision/memzk"
	"github.com/zkine/zkine/revision/zkclient"
)

// spy is a dialer whose connections note what is read.
type spy struct {
	zkclient.Dialer
	mu   sync.Mutex
	read []string
}

func (s *spy) Dial(ctx context.Context) (zkclient.Conn, error) {
	conn, err := s.Dialer.Dial(ctx)
	if err != nil {
		return nil, err
	}
	return &spiedConn{conn, s}, nil
}

type spiedConn struct {
	zkclient.Conn
	spy *spy
}

func (c *spiedConn) Get(ctx context.Context, path string) ([]byte, *zk.Stat, error) {
	c.spy.mu.Lock()
	c.spy.read = append(c.spy.read, path)
	c.spy.mu.Unlock()
	return c.Conn.Get(ctx, path)
}

// reads counts the paths that hold part.
func (s *spy) reads(part string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, path := range s.read {
		if strings.Contains(path, part) {
			n++
		}
	}
	return n
}

// TestCatchesUpFromWhereItWas cuts a zkine off for a while: it reads what it
// missed, and neither a checkpoint nor what it had read before.
func TestCatchesUpFromWhereItWas(t *testing.T) {
	e := memzk.New()
	seen := &spy{Dialer: e}
	g := &gate{Dialer: seen}
	a, b := openOn(t, e, "a"), openOn(t, g, "b")
	overwrite(t, a, 200)
	require.NoError(t, a.Defragment(within(t)))
	overwrite(t, a, 200)
	sameState(t, a, b)
	g.close()
	eventually(t, "b is cut off", func() bool { return b.Ready() != nil })
	const missed = 20
	for i := range missed {
		put(t, a, fmt.Sprint("missed", i), "v")
	}
	seen.mu.Lock()
	seen.read = nil
	seen.mu.Unlock()
	g.open()
	require.Len(t, get(t, b, "missed19").Kvs, 1)
	require.Zero(t, seen.reads("/checkpoint/"))
	require.Zero(t, seen.reads("/pack/"))
	// Each one once, and the one that was applied last, to recognise the log by. The
	// newest one may come with the segment's record instead.
	require.Contains(t, []int{missed, missed + 1}, seen.reads("/s-"))
	seen.mu.Lock()
	slots := slices.DeleteFunc(seen.read, func(path string) bool { return !strings.Contains(path, "/s-") })
	slices.Sort(slots)
	require.Equal(t, slices.Compact(slices.Clone(slots)), slots)
	seen.mu.Unlock()
	sameState(t, a, b)
}
