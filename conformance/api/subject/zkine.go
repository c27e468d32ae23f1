// Package subject runs this checkout's zkine inside a test: a process of its own, built with the race detector, on a
// real ZooKeeper. Package reference does the same with an etcd.
package subject

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/conformance/api/process"
	"github.com/zkine/zkine/revision/embedded"
	"github.com/zkine/zkine/revision/zktest"
)

// patience bounds every wait for what must come; a loaded machine is slow, not wrong.
const patience = time.Minute

var build = sync.OnceValues(func() (string, error) { return process.Zkine(context.Background(), true) })

// Zkine is a zkine of a test, which may be killed and started again, on the same ports and root.
type Zkine struct {
	Endpoint string           // host:port
	Process  *process.Process // the one that was started last

	t    *testing.T
	args []string
}

// New starts a zkine on a new root of the shared ZooKeeper (zktest.Shared), and waits until it serves. It is stopped
// when the test ends.
func New(t *testing.T, args ...string) *Zkine {
	t.Helper()
	return NewOn(t, zktest.Shared(t).Addr(), zktest.Root(t), args...)
}

// NewOn does the same on a root of any ZooKeeper.
func NewOn(t *testing.T, zookeeper, root string, args ...string) *Zkine {
	t.Helper()
	port, err := embedded.FreePort()
	require.NoError(t, err)
	z := &Zkine{t: t, Endpoint: fmt.Sprintf("127.0.0.1:%d", port)}
	z.args = append([]string{
		"server", "--zookeeper=" + zookeeper, "--zookeeper-root=" + root, "--zookeeper-session-timeout=2s",
		"--name=" + fmt.Sprint("z", port), "--data-dir=" + t.TempDir(),
		"--listen-client-urls=http://" + z.Endpoint, "--listen-metrics-urls=http://127.0.0.1:0",
	}, args...)
	z.Start()
	t.Cleanup(z.end)
	return z
}

// Start starts the zkine again after it has ended, and waits until it serves.
func (z *Zkine) Start() {
	z.t.Helper()
	bin, err := build()
	require.NoError(z.t, err)
	z.Process, err = process.Start(bin, z.args)
	require.NoError(z.t, err)
	z.await(`zkine is ready: etcdctl --endpoints=http://` + z.Endpoint)
}

// Kill ends the zkine as a power cut would.
func (z *Zkine) Kill() {
	z.Process.Kill()
	z.CheckOutput()
}

// end stops the zkine, whose exit code must be that of a clean end.
func (z *Zkine) end() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	code, err := z.Process.Stop(ctx)
	if err != nil {
		z.Process.Kill()
	}
	z.CheckOutput()
	if err != nil || code > 0 { // -1: a test had killed it
		z.t.Errorf("zkine ended with %d, %v", code, err)
	}
	if z.t.Failed() {
		z.t.Logf("zkine at %s printed:\n%s", z.Endpoint, z.Process.Output())
	}
}

// CheckOutput fails the test if the zkine has printed of a race or a panic.
func (z *Zkine) CheckOutput() {
	for _, bad := range []string{"DATA RACE", "panic:"} {
		if out := z.Process.Output(); strings.Contains(out, bad) {
			z.t.Errorf("zkine printed:\n%s", out)
		}
	}
}

// Probe asks a metrics URL and returns the status code.
func (z *Zkine) Probe(path string) int {
	z.t.Helper()
	address := z.await(`serving metrics and health.*address="?([^" \n]+)"?`)[1]
	response, err := http.Get("http://" + address + path)
	require.NoError(z.t, err)
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	require.NoError(z.t, err)
	return response.StatusCode
}

// await waits for output that matches, and returns the match and its groups.
func (z *Zkine) await(pattern string) []string {
	z.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	match, err := z.Process.Await(ctx, pattern)
	require.NoError(z.t, err)
	return match
}
