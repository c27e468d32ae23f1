package fourletter

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// answered is what the leader of three, a ZooKeeper 3.9.6 of Debian, said to srvr: this builder left the commit out.
const answered = `Zookeeper version: 3.9.6-${mvngit.commit.id}, built on 2026-10-16 16:58 UTC
Latency min/avg/max: 0/0.0/0
Received: 3
Sent: 2
Connections: 1
Outstanding: 0
Zxid: 0x100000000
Mode: leader
Node count: 5
Proposal sizes last/min/max: -1/-1/-1
`

func TestReadSrvr(t *testing.T) {
	s, err := ReadSrvr(answered)
	require.NoError(t, err)
	require.Equal(t, Stats{
		Version: "3.9.6", Mode: "leader", Zxid: "0x100000000", Connections: 1, Znodes: 5,
	}, s)
	// What that one had nothing of.
	s, err = ReadSrvr(strings.NewReplacer("0/0.0/0", "1/0.2873/31", "Outstanding: 0", "Outstanding: 2").Replace(answered))
	require.NoError(t, err)
	require.Equal(t, []float64{1, 0.2873, 31, 2}, []float64{s.LatencyMin, s.LatencyAvg, s.LatencyMax, float64(s.Outstanding)})
	_, err = ReadSrvr("srvr is not executed because it is not in the whitelist.\n")
	require.ErrorIs(t, err, ErrNotAllowed)
	for _, other := range []string{"", "This ZooKeeper instance is not currently serving requests\n", "HTTP/1.1 400 Bad Request\r\n\r\n"} {
		_, err = ReadSrvr(other)
		require.ErrorIs(t, err, ErrNotServing)
	}
}

func FuzzReadSrvr(f *testing.F) {
	f.Add(answered)
	f.Fuzz(func(t *testing.T, answer string) {
		if s, err := ReadSrvr(answer); err == nil {
			require.NotEmpty(t, s.Mode)
		}
	})
}
