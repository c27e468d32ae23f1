package top

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/clipperhouse/displaywidth"
	"github.com/gdamore/tcell/v3"
	"github.com/gdamore/tcell/v3/vt"
	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/server/observe"
	"github.com/zkine/zkine/server/usage"
)

// crowded is a snapshot with much of everything, wide letters and errors among it.
func crowded(members, servers, things int) *Snapshot {
	s := &Snapshot{At: time.Date(2026, 11, 30, 14, 3, 7, 0, time.UTC)}
	for i := range members {
		m := Member{Member: observe.Member{ID: uint64(i + 1), Name: fmt.Sprint("member-", i), Keeper: 1, Revision: 1 << 40, ResidentBytes: 300 << 20}, Endpoint: "http://10.0.0.1:2379"}
		switch i % 5 {
		case 3:
			m.Error = "dial tcp 10.0.0.1:2379: connect: connection refused, and more of a long text that has no end"
		case 4:
			m.NotReady = "ZooKeeper is away"
		}
		s.Members = append(s.Members, m)
	}
	for i := range servers {
		s.Ensemble = append(s.Ensemble, observe.Server{Address: fmt.Sprintf("zk%d.example.com:2181", i), Mode: "follower", Znodes: 12345})
	}
	for i := range things {
		a := usage.Activity{Rates: usage.Rates{Writes: float64(i), Reads: float64(things - i), BytesRead: 1e9, Errors: 1}, Watchers: int64(i * i)}
		s.Usage.All.Add(&a)
		s.Usage.Prefixes = append(s.Usage.Prefixes, usage.Prefix{Prefix: fmt.Sprintf("/registry/pods/n%d/", i), Resource: "pods", Namespace: fmt.Sprint("n", i), Activity: a})
		s.Usage.Clients = append(s.Usage.Clients, usage.Client{Address: "10.0.0.1", User: "ルート", UserAgent: fmt.Sprint("agent/", i), Activity: a})
	}
	return s
}

// TestPagesFit draws for all sizes: no line is wider than the page, there are no more
// than it has, and what matters most stays when there is little room.
func TestPagesFit(t *testing.T) {
	for _, v := range []*view{
		{order: orders[0]},
		{order: orders[0], help: true, now: crowded(1, 1, 1)},
		{order: orders[1], now: crowded(0, 0, 0)},
		{order: orders[2], now: crowded(3, 3, 20)},
		{order: orders[3], now: crowded(9, 7, 200), paused: true, scroll: 150},
		{order: orders[4], now: crowded(9, 7, 200), shown: clientsOnly},
	} {
		for _, height := range []int{0, 1, 2, 3, 5, 8, 10, 13, 17, 21, 22, 24, 30, 50} {
			for _, width := range []int{0, 1, 2, 15, 16, 17, 30, 79, 80, 81, 132, 300} {
				lines := v.lines(width, height)
				require.LessOrEqual(t, len(lines), height)
				for _, l := range lines {
					w := 0
					for _, s := range l {
						w += displaywidth.String(s.text)
					}
					require.LessOrEqual(t, w, width, "%dx%d: %q", width, height, l.String())
				}
			}
		}
	}
}

func textOf(v *view, width, height int) string {
	var b strings.Builder
	for _, l := range v.lines(width, height) {
		b.WriteString(l.String() + "\n")
	}
	return b.String()
}

// TestSmallPageHasEverything is about 80x24, with three members and three servers.
func TestSmallPageHasEverything(t *testing.T) {
	v := &view{order: orders[1], now: crowded(3, 3, 20)}
	require.Equal(t, `zkine top  14:03:07  3 members  rates over 0 s, by writes
calls 0  writes 190  reads 210  events 0  in 0  out 19G  watch 2470  errors 20
MEMBER                             REVISION    LAG   RSS   CPU CONNS STORE    UP
member-0 *                             1.1T      0  300M     -     0     0    0s
member-1                               1.1T      0  300M     -     0     0    0s
member-2                               1.1T      0  300M     -     0     0    0s

ZOOKEEPER                       MODE ANSWERS    AVG     MAX CONNS QUEUE   ZNODES
zk0.example.com:2181        follower   0.0ms  0.0ms   0.0ms     0     0    12345
zk1.example.com:2181        follower   0.0ms  0.0ms   0.0ms     0     0    12345
zk2.example.com:2181        follower   0.0ms  0.0ms   0.0ms     0     0    12345

PREFIX                          WRITES  READS EVENTS     IN    OUT  WATCH ERRORS
n19/pods                            19    1.0      0      0   954M    361    1.0
n18/pods                            18    2.0      0      0   954M    324    1.0
n17/pods                            17    3.0      0      0   954M    289    1.0
… 17 more

CLIENT                          WRITES  READS EVENTS     IN    OUT  WATCH ERRORS
10.0.0.1 ルート agent/19            19    1.0      0      0   954M    361    1.0
10.0.0.1 ルート agent/18            18    2.0      0      0   954M    324    1.0
10.0.0.1 ルート agent/17            17    3.0      0      0   954M    289    1.0
… 17 more
q quit  p pause  ? help  tab tables  ↑↓ scroll  order: b w r e i o n x
`, textOf(v, 80, 24))
}

// TestSmallPageSaysWhyNobodyTells has little room, and yet the reason.
func TestSmallPageSaysWhyNobodyTells(t *testing.T) {
	s := &Snapshot{Members: []Member{{Endpoint: "127.0.0.1:2379", Error: "connection refused"}}, EnsembleError: "no member tells"}
	text := textOf(&view{order: orders[0], now: s}, 40, 10)
	require.Contains(t, text, "127.0.0.1:2379   connection refused")
	require.NotContains(t, text, "PREFIX")
}

// TestSeveralAPIServersAreToldApart has the prefix stand for what two of them have.
func TestSeveralAPIServersAreToldApart(t *testing.T) {
	s := crowded(1, 1, 0)
	for _, root := range []string{"/east", "/west"} {
		s.Usage.Prefixes = append(s.Usage.Prefixes, usage.Prefix{Prefix: root + "/pods/shop/", Resource: "pods", Namespace: "shop"})
	}
	text := textOf(&view{order: orders[0], now: s}, 80, 24)
	require.Contains(t, text, "/east/pods/shop/")
	require.Contains(t, text, "/west/pods/shop/")
	require.NotContains(t, text, "shop/pods")
}

func TestMembersAreMerged(t *testing.T) {
	a, b := crowded(0, 0, 5).Usage, crowded(0, 0, 8).Usage
	a.OtherPrefixes.Total.Writes, b.OtherPrefixes.Total.Writes = 3, 4
	sum := merge([]usage.Report{a, b})
	require.Len(t, sum.Prefixes, 8)
	require.Len(t, sum.Clients, 8)
	require.Equal(t, a.All.Writes+b.All.Writes, sum.All.Writes)
	require.Equal(t, int64(7), sum.OtherPrefixes.Total.Writes)
	writes := 0.0
	for _, p := range sum.Prefixes {
		writes += p.Writes
	}
	require.Equal(t, sum.All.Writes, writes)
	require.Equal(t, usage.Report{Prefixes: []usage.Prefix{}, Clients: []usage.Client{}}, merge(nil))
}

func TestNumbers(t *testing.T) {
	for n, want := range map[float64]string{0: "0", 0.04: "0", 0.5: "0.5", 9.94: "9.9", 9.96: "10", 123.4: "123", 9999: "9999", 10_000: "10k", 999_499: "999k", 999_600: "1.0M", 1e12: "1.0T"} {
		require.Equal(t, want, rate(n))
	}
	for n, want := range map[float64]string{0: "0s", 59.9: "59s", 61: "1m01", 3599: "59m", 3660: "1h01", 40 * 3600: "40h", 72 * 3600: "3d"} {
		require.Equal(t, want, since(n))
	}
}

// TestPanicGivesTheTerminalBack has the goroutine that asks panic: the one that draws
// does, and the terminal is as it was before that is told.
func TestPanicGivesTheTerminalBack(t *testing.T) {
	terminal := &stoppable{MockTerm: vt.NewMockTerm(vt.MockOptSize{X: 80, Y: 24})}
	screen, err := tcell.NewTerminfoScreenFromTty(terminal)
	require.NoError(t, err)
	shown := make(chan struct{})
	require.PanicsWithValue(t, "a fault", func() {
		_ = on(t.Context(), screen, &view{order: orders[0]}, func(ctx context.Context) <-chan gathering {
			return asking(ctx, time.Millisecond, func() *Snapshot {
				select {
				case <-shown:
					panic("a fault")
				default:
					close(shown)
					return crowded(1, 1, 1)
				}
			})
		})
	})
	require.True(t, terminal.stopped.Load())
}

// stoppable knows that a terminal was given back.
type stoppable struct {
	vt.MockTerm
	stopped atomic.Bool
}

func (s *stoppable) Stop() error {
	s.stopped.Store(true)
	return s.MockTerm.Stop()
}
