package server

import (
	"context"
	"encoding/base64"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"golang.org/x/crypto/bcrypt"

	"github.com/zkine/zkine/revision/memzk"
	"github.com/zkine/zkine/server/servertest"
)

// TestAFloodOfLoginsLeavesProcessorsToOthers: whoever has shown nothing yet keeps half of
// the processors busy at most, and those who have go on.
func TestAFloodOfLoginsLeavesProcessorsToOthers(t *testing.T) {
	m := startMember(t, memzk.New(), "one", nil)
	root := m.enableAuth(t)
	hash, err := bcrypt.GenerateFromPassword([]byte("a"), bcrypt.DefaultCost)
	require.NoError(t, err)
	_, err = m.auth.UserChangePassword(root, &pb.AuthUserChangePasswordRequest{Name: "alice", HashedPassword: base64.StdEncoding.EncodeToString(hash)})
	require.NoError(t, err)

	ctx, cancel := context.WithCancel(ctxFor(t))
	var flood sync.WaitGroup
	for range 50 {
		flood.Go(func() {
			for ctx.Err() == nil {
				_, _ = m.auth.Authenticate(ctx, &pb.AuthenticateRequest{Name: "alice", Password: "x"})
			}
		})
	}
	comparing := func() int {
		return strings.Count(servertest.Stacks(), "bcrypt.CompareHashAndPassword(")
	}
	require.Eventually(t, func() bool { return comparing() > 0 }, soon, time.Millisecond)
	most := 0
	var took []time.Duration
	for range 15 {
		start := time.Now()
		require.NoError(t, m.put(root, "k"))
		took = append(took, time.Since(start))
		most = max(most, comparing())
	}
	cancel()
	flood.Wait()
	slices.Sort(took)
	t.Logf("at most %d comparisons at a time; a put takes %v, at worst %v", most, took[len(took)/2], took[len(took)-1])
	require.LessOrEqual(t, most, max(1, runtime.GOMAXPROCS(0)/2))
}
