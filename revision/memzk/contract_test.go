package memzk_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision/memzk"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zktest"
)

// The contract is what zkine relies on of ZooKeeper. Each case runs on an
// ensemble in memory and on a real server, through the same interface: what the
// simulations find with the one then holds for the other. The files
// contract_*_test.go hold the cases, by subject.
//
// Not in it, since no real server does it on request: servers that lag, and
// requests or replies that are lost; see package zktest for the latter.
var contract = slices.Concat(createCases, multiCases, statCases, watchCases, sessionCases, sizeCases)

// contractCase is one thing that zkine relies on.
type contractCase struct {
	name string
	run  func(*store)
}

func TestMain(m *testing.M) { zktest.Main(m) }

func TestContractInMemory(t *testing.T) {
	for _, c := range contract {
		t.Run(c.name, func(t *testing.T) { c.run(newStore(t, memzk.New(), "/contract")) })
	}
}

func TestContractOnZooKeeper(t *testing.T) {
	log := logrus.New()
	log.SetLevel(logrus.PanicLevel)
	for _, c := range contract {
		t.Run(c.name, func(t *testing.T) {
			// What is too large is for the server to refuse, not for the client.
			dialer := &zkclient.Ensemble{Servers: []string{zktest.Shared(t).Addr()}, Timeout: 20 * time.Second, MaxRequest: 4 << 20, Log: logrus.NewEntry(log)}
			c.run(newStore(t, dialer, zktest.Root(t)))
		})
	}
}

// store is a ZooKeeper with a session, and a znode to work under.
type store struct {
	*testing.T
	zkclient.Conn
	dialer zkclient.Dialer
	root   string
}

func newStore(t *testing.T, d zkclient.Dialer, root string) *store {
	s := &store{T: t, dialer: d, root: root}
	s.Conn = s.dial()
	s.must(create(root, ""))
	return s
}

// dial opens another session. It ends with the test at the latest.
func (s *store) dial() zkclient.Conn {
	ctx, cancel := context.WithTimeout(s.T.Context(), 30*time.Second)
	defer cancel()
	conn, err := s.dialer.Dial(ctx)
	require.NoError(s, err)
	s.Cleanup(conn.Close)
	return conn
}

// ctx bounds a call.
func (s *store) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	s.Cleanup(cancel)
	return ctx
}

// at is a path under the root.
func (s *store) at(name string) string { return s.root + "/" + name }

// must runs a multi that succeeds.
func (s *store) must(ops ...any) []zk.MultiResponse {
	s.Helper()
	results, err := s.Multi(s.ctx(), ops...)
	require.NoError(s, err)
	require.Len(s, results, len(ops))
	for _, r := range results {
		require.NoError(s, r.Error)
	}
	return results
}

// fails runs a multi in which the operation at an index is the first to fail.
func (s *store) fails(want error, culprit int, ops ...any) {
	s.Helper()
	results, err := s.Multi(s.ctx(), ops...)
	require.ErrorIs(s, err, want)
	require.True(s, zkclient.Definite(err), "it had no effect and never will")
	require.Len(s, results, len(ops))
	op, found := zkclient.FailedOp(results)
	require.Equal(s, culprit, op)
	require.ErrorIs(s, found, want)
	for i, r := range results {
		require.Equal(s, i >= culprit, r.Error != nil, "the result of operation %d is %v", i, r.Error)
	}
}

// read reads a znode that is there.
func (s *store) read(path string) (string, *zk.Stat) {
	s.Helper()
	data, stat, err := s.Get(s.ctx(), path)
	require.NoError(s, err)
	return string(data), stat
}

// gone fails unless there is no such znode.
func (s *store) gone(path string) {
	s.Helper()
	_, _, err := s.Get(s.ctx(), path)
	require.ErrorIs(s, err, zk.ErrNoNode)
}

// children lists a znode's children in the order of their names.
func (s *store) children(path string) []string {
	s.Helper()
	names, err := s.Children(s.ctx(), path)
	require.NoError(s, err)
	slices.Sort(names)
	return names
}

func create(path, data string) *zk.CreateRequest {
	return &zk.CreateRequest{Path: path, Data: []byte(data), Acl: zk.WorldACL(zk.PermAll)}
}

func flagged(path string, flags int32) *zk.CreateRequest {
	op := create(path, "")
	op.Flags = flags
	return op
}

func set(path, data string, version int32) *zk.SetDataRequest {
	return &zk.SetDataRequest{Path: path, Data: []byte(data), Version: version}
}

func check(path string, version int32) *zk.CheckVersionRequest {
	return &zk.CheckVersionRequest{Path: path, Version: version}
}

func remove(path string, version int32) *zk.DeleteRequest {
	return &zk.DeleteRequest{Path: path, Version: version}
}
