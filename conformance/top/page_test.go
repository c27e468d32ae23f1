package top

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/zkine/zkine/conformance/rig/rigtest"
)

// busy writes to a zkine until the test ends: most to pods, however long a write takes.
func busy(t *testing.T, client *clientv3.Client) {
	ctx, cancel := context.WithCancel(context.Background())
	var writing sync.WaitGroup
	for key, writers := range map[string]int{"/registry/pods/shop/web": 4, "/registry/leases/kube-node-lease/node": 2, "/service/batman/leader": 1} {
		for range writers {
			writing.Go(func() {
				tick := time.NewTicker(20 * time.Millisecond)
				defer tick.Stop()
				for i := 0; ctx.Err() == nil; i++ {
					_, _ = client.Put(ctx, fmt.Sprint(key, i%10), strings.Repeat("x", 100))
					<-tick.C
				}
			})
		}
	}
	t.Cleanup(func() { cancel(); writing.Wait() })
}

func onTerminal(t *testing.T, z *rigtest.Zkine, env ...string) *exec.Cmd {
	cmd := exec.Command(rigtest.Program(t), "top", "--endpoints="+z.Endpoint, "--interval=500ms")
	cmd.Env = append(os.Environ(), append([]string{"TERM=xterm-256color", "LANG=C.UTF-8", "NO_COLOR="}, env...)...)
	return cmd
}

func TestPage(t *testing.T) {
	z := rigtest.Start(t)
	busy(t, connect(t, z.Endpoint))
	r := run(t, onTerminal(t, z), 80, 24)
	screen := r.await("zkine top", "1 member", "by busy", z.Name+" *", "standalone", "shop/pods", "kube-node-lease/leases", "/service/batman/", "127.0.0.1 grpc-go/", "q quit")
	for n, l := range strings.Split(screen, "\n") {
		require.LessOrEqual(t, len([]rune(l)), 80, "line %d", n)
	}
	r.awaitThat("pods above leases, with their rates", func(screen string) bool {
		pods, leases := rateOf(screen, "shop/pods"), rateOf(screen, "kube-node-lease/leases")
		return strings.Index(screen, "shop/pods") < strings.Index(screen, "kube-node-lease/leases") && pods > 1.3*leases && leases > 1
	})

	r.draws(*picture)

	r.press("w")
	r.await("by writes")
	r.press("p")
	paused := r.await("PAUSED")
	r.press("n")
	require.Equal(t, clock(paused), clock(r.await("by watchers", "PAUSED")), "what is shown stays")
	r.press(" b")
	r.awaitThat("the page going on", func(screen string) bool {
		return !strings.Contains(screen, "PAUSED") && clock(screen) != clock(paused)
	})
	r.press("?")
	r.await("Order of prefixes and clients", "watchers open now")
	r.press("?")
	r.await("PREFIX", "CLIENT")
	r.press("\t")
	r.awaitThat("prefixes alone", func(s string) bool { return strings.Contains(s, "PREFIX") && !strings.Contains(s, "CLIENT") })
	r.press("\t")
	r.awaitThat("clients alone", func(s string) bool { return !strings.Contains(s, "PREFIX") && strings.Contains(s, "CLIENT") })
	r.press("\t")

	r.resize(140, 50)
	r.await("STORED UNDER", "/registry/pods/shop/", "ZNODES", "ENDPOINT")
	r.resize(30, 8)
	r.awaitThat("the small page", func(s string) bool {
		return strings.Contains(s, "PREFIX") && !strings.Contains(s, "WATCH") && strings.Count(s, "\n") == 7
	})
	r.resize(80, 24)
	// On a machine that is busy, a member was slow to answer once, and that was red.
	r.awaitThat("what is right without a colour", func(s string) bool {
		return strings.Contains(s, "q quit") && strings.Contains(s, "shop/pods") && !r.coloured()
	})
	r.press("\x03")
	require.Zero(t, r.end())
}

// colours are those that a program asks a terminal for.
var colours = regexp.MustCompile(`\x1b\[(?:[0-9;:]*;)?(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])[0-9;:]*m`)

// clock is the time that the page shows.
func clock(screen string) string { return regexp.MustCompile(`\d\d:\d\d:\d\d`).FindString(screen) }

// rateOf is the first number behind a name.
func rateOf(screen, name string) (rate float64) {
	_, rest, _ := strings.Cut(screen, name)
	_, _ = fmt.Sscan(rest, &rate)
	return rate
}

// TestNoColour has the page say in red what is wrong, and with NO_COLOR without a colour.
func TestNoColour(t *testing.T) {
	z := rigtest.Start(t)
	for _, noColour := range []string{"", "1"} {
		cmd := onTerminal(t, z, "NO_COLOR="+noColour)
		cmd.Args = append(cmd.Args, "--endpoints=127.0.0.1:1")
		r := run(t, cmd, 100, 30)
		r.await("127.0.0.1:1", "connection refused", "1 silent")
		r.mu.Lock()
		coloured := colours.Match(r.raw.Bytes())
		r.mu.Unlock()
		require.Equal(t, noColour == "", coloured, "NO_COLOR=%s", noColour)
		r.press("q")
		require.Zero(t, r.end())
	}
}

// TestSignalsGiveTheTerminalBack ends the page by signals.
func TestSignalsGiveTheTerminalBack(t *testing.T) {
	z := rigtest.Start(t)
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP} {
		if signal.Ignored(s) {
			continue // as with nohup, and the program has it stay so
		}
		r := run(t, onTerminal(t, z), 80, 24)
		r.await("zkine top", z.Name)
		require.NoError(t, r.cmd.Process.Signal(s))
		require.Zero(t, r.end(), s)
	}
}
