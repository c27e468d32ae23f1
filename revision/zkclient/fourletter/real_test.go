package fourletter_test

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision/zkclient/fourletter"
	"github.com/zkine/zkine/revision/zktest"
)

func TestMain(m *testing.M) { zktest.Main(m) }

func ask(t *testing.T, addr, word string) string {
	t.Helper()
	answer, err := fourletter.Ask(t.Context(), addr, word)
	require.NoError(t, err)
	return answer
}

// TestReadSrvrOfRealServers compares what a ZooKeeper says to srvr with what it says to mntr.
func TestReadSrvrOfRealServers(t *testing.T) {
	single := zktest.Shared(t)
	ensemble := zktest.StartEnsemble(t, 3)
	servers := map[string]string{single.Addr(): "standalone"}
	for _, addr := range ensemble.Addrs() {
		servers[addr] = "follower"
	}
	servers[ensemble.Leader().Addr()] = "leader"
	for addr, mode := range servers {
		answer := ask(t, addr, "srvr")
		s, err := fourletter.ReadSrvr(answer)
		require.NoError(t, err)
		other := map[string]string{}
		for l := range strings.Lines(ask(t, addr, "mntr")) {
			name, value, _ := strings.Cut(strings.TrimSpace(l), "\t")
			other[name] = value
		}
		require.Equal(t, mode, s.Mode)
		require.Equal(t, other["zk_server_state"], s.Mode)
		require.True(t, strings.HasPrefix(other["zk_version"], s.Version+"-"), "%q of %q", s.Version, other["zk_version"])
		require.Equal(t, other["zk_znode_count"], fmt.Sprint(s.Znodes))
		// Either question is a connection itself, and the answers are moments apart.
		connections, err := strconv.ParseInt(other["zk_num_alive_connections"], 10, 64)
		require.NoError(t, err)
		require.InDelta(t, connections, s.Connections, 2)
		require.Positive(t, s.Connections)
		require.Zero(t, s.Outstanding)
		require.LessOrEqual(t, s.LatencyMin, s.LatencyAvg)
		require.LessOrEqual(t, s.LatencyAvg, s.LatencyMax)
		_, err = strconv.ParseUint(s.Zxid, 0, 64)
		require.NoError(t, err)
		_, err = fourletter.ReadSrvr(ask(t, addr, "cons")) // not on the whitelist of a test's server
		require.ErrorIs(t, err, fourletter.ErrNotAllowed)
	}

	// One of three does not serve.
	last := ensemble.Follower()
	for _, s := range ensemble.Servers {
		if s != last {
			s.Kill()
		}
	}
	require.Eventually(t, func() bool {
		answer, err := fourletter.Ask(t.Context(), last.Addr(), "srvr")
		if err != nil {
			return false // while it finds out it may answer nothing
		}
		_, err = fourletter.ReadSrvr(answer)
		return errors.Is(err, fourletter.ErrNotServing)
	}, time.Minute, 20*time.Millisecond)
}
