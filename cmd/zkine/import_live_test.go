package main

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/zkine/zkine/backend/etcdapi"
	"github.com/zkine/zkine/backend/mirror"
	"github.com/zkine/zkine/backend/transfer"
	bars "github.com/zkine/zkine/cmd/zkine/progress"
)

// TestACopyGoesOnWhereLeasesHaveEnded since it began, as those of API servers do after
// seconds: it is read at the revision at which it began.
func TestACopyGoesOnWhereLeasesHaveEnded(t *testing.T) {
	args, _, _ := sharedRoot(t)
	c, ctx := anonymous(t, startZkine(t, args).ready()), within(t)
	for i := range 20 {
		_, err := c.Put(ctx, fmt.Sprint("/key/", i), "value")
		require.NoError(t, err)
	}
	lease, err := c.Grant(ctx, 1000)
	require.NoError(t, err)
	then, err := c.Put(ctx, "/masterleases/1", "here", clientv3.WithLease(lease.ID))
	require.NoError(t, err)
	_, err = c.Revoke(ctx, lease.ID)
	require.NoError(t, err)

	source, err := etcdapi.Connect(ctx, c, nil)
	require.NoError(t, err)
	live, err := transfer.OpenLive(ctx, source, transfer.LiveOptions{At: then.Header.Revision})
	require.NoError(t, err)
	require.EqualValues(t, then.Header.Revision, live.Revision)
	s, err := live.State()
	require.NoError(t, err)
	made, err := transfer.Rehearse(ctx, s, nil)
	require.NoError(t, err)
	require.Equal(t, 21, made.Keys)
	require.Len(t, live.Leases, 1)
	require.EqualValues(t, lease.ID, live.Leases[0].ID)
	require.Positive(t, live.Leases[0].TTL)
}

// TestACutOverThatLeavesWritesBehind does not end well: a script must not go on.
func TestACutOverThatLeavesWritesBehind(t *testing.T) {
	args, _, _ := sharedRoot(t)
	c, ctx := anonymous(t, startZkine(t, args).ready()), within(t)
	resp, err := c.Put(ctx, "/key", "since the comparison")
	require.NoError(t, err)
	source, err := etcdapi.Connect(ctx, c, nil)
	require.NoError(t, err)
	rev := resp.Header.Revision
	for behind, want := range map[int64]string{0: "", 1: fmt.Sprintf("it is at revision %d by now: what came after %d is not in the root — stop", rev, rev-1)} {
		for _, untilLag := range []time.Duration{0, time.Second} {
			cmd, out := new(cobra.Command), new(strings.Builder)
			cmd.SetOut(out)
			i := new(importOptions)
			i.live.untilLag = untilLag
			err = i.sayFollowed(ctx, cmd, source, 1, mirror.Verified{Revision: rev - behind})
			if want == "" || untilLag > 0 {
				require.NoError(t, err)
				require.Contains(t, out.String(), "both sides are the same")
				require.Equal(t, behind > 0, strings.Contains(out.String(), "is not in the root. Stop"))
				continue
			}
			require.ErrorContains(t, err, want)
		}
	}
}

// TestUntilLagWaitsUntilItIsKnown: how far behind a root is is known once it has come to
// where the source was at the beginning.
func TestUntilLagWaitsUntilItIsKnown(t *testing.T) {
	bar := bars.New(io.Discard, "following")
	defer bar.Done()
	ended := false
	i := new(importOptions)
	i.live.untilLag = time.Second
	report := i.reporter(bar, func() { ended = true })
	report(mirror.Progress{Revision: 5, Source: 100, Lag: time.Millisecond})
	report(mirror.Progress{Revision: 60, Source: 101, Lag: 900 * time.Millisecond})
	require.False(t, ended)
	report(mirror.Progress{Revision: 100, Source: 130, Lag: 2 * time.Second})
	require.False(t, ended)
	report(mirror.Progress{Revision: 130, Source: 131, Lag: 20 * time.Millisecond})
	require.True(t, ended)
}
