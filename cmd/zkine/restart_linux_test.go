package main

import (
	"os"
	"path"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision/zktest"
)

// TestAKilledContainerStartsAgain kills a zkine in a PID namespace of its own, as
// a container is killed, and starts it again in another one: it serves at once,
// however the servers round session timeouts, and is listed soon.
func TestAKilledContainerStartsAgain(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("to make PID namespaces takes root")
	}
	container := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
	for name, options := range map[string][]zktest.Option{
		"minSessionTimeout=40000": {zktest.WithTickTime(2 * time.Second), zktest.WithProperty("minSessionTimeout", "40000")},
		"tickTime=6000":           {zktest.WithTickTime(6 * time.Second)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := zktest.Start(t, options...)
			args := []string{"--zookeeper=" + server.Addr(), "--name=pod"}
			p := startZkineIn(t, container, args)
			p.ready()
			p.signal(syscall.SIGKILL)
			<-p.exited
			began := time.Now()
			p = startZkineIn(t, container, args)
			p.ready()
			took := time.Since(began)
			require.Less(t, took, 8*time.Second)
			p.await(`not in the list of members yet; serving all the same.*pid \d+`)
			p.await(`in the list of members now`)
			t.Logf("ready after %v, listed after %v", took.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
			require.Less(t, time.Since(began), 25*time.Second)

			twin := startZkineIn(t, container, args)
			began = time.Now()
			require.Contains(t, twin.problem(), path.Join("/members", "pod")+" is held by a live zkine")
			require.Less(t, time.Since(began), 8*time.Second)
			require.NotContains(t, twin.text(), "zkine is ready")
			require.False(t, strings.Contains(p.text(), "member name is taken"))
			p.signal(syscall.SIGTERM)
			require.Zero(t, p.end())
		})
	}
}
