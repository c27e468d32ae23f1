package differential

import (
	"context"
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/conformance/api/process"
	"github.com/zkine/zkine/revision/embedded"
	"github.com/zkine/zkine/revision/zktest"
)

// buildPatience is for a machine that builds much else.
const buildPatience = 5 * time.Minute

// program is a zkine that runs.
type program struct {
	*process.Process
	endpoint string
	root     string
	busy     bool
}

// busyFlags make a zkine go on to a new segment after every few slots, pack the one before and write a checkpoint when
// there is as much log as that takes.
var busyFlags = []string{"--log-segment-slots=8", "--checkpoint-log-bytes=1"}

func startZkine(t *testing.T, busy bool) *program {
	t.Helper()
	p := &program{root: zktest.Root(t), busy: busy}
	p.start(t, "one")
	t.Cleanup(func() { p.Kill(); p.inspect(t, t.Failed()) })
	return p
}

// another starts a second zkine on the same root.
func (p *program) another(t *testing.T) *program {
	t.Helper()
	another := &program{root: p.root, busy: p.busy}
	another.start(t, "two")
	return another
}

func (p *program) start(t *testing.T, name string) {
	t.Helper()
	bin := binary(t)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	port, err := embedded.FreePort()
	require.NoError(t, err)
	p.endpoint = fmt.Sprintf("127.0.0.1:%d", port)
	args := []string{
		"server", "--zookeeper=" + zktest.Shared(t).Addr(), "--zookeeper-root=" + p.root, "--name=" + name,
		"--data-dir=" + t.TempDir(),
		"--listen-client-urls=http://" + p.endpoint, "--listen-metrics-urls=http://127.0.0.1:0",
	}
	if p.busy {
		args = append(args, busyFlags...)
	}
	p.Process, err = process.Start(bin, args)
	require.NoError(t, err)
	if _, err = p.Await(ctx, "zkine is ready"); err != nil {
		p.Kill()
		p.inspect(t, true)
		t.FailNow()
	}
}

var named = flag.String("zkine", "", "the zkine to ask; by default this checkout's is built")

// binary is the zkine to run, built if none was named.
func binary(t *testing.T) string {
	t.Helper()
	if *named != "" {
		return *named
	}
	ctx, cancel := context.WithTimeout(context.Background(), buildPatience)
	defer cancel()
	bin, err := process.Zkine(ctx, raceDetector)
	require.NoError(t, err)
	return bin
}

// stop ends a zkine in peace, so that its name is free again.
func (p *program) stop(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	code, err := p.Stop(ctx)
	p.inspect(t, err != nil || code != 0)
}

// inspect prints what a zkine printed, if that is asked for or it broke.
func (p *program) inspect(t *testing.T, show bool) {
	t.Helper()
	if out := p.Output(); show || strings.Contains(out, "DATA RACE") || strings.Contains(out, "panic") {
		t.Errorf("zkine printed:\n%.20000s", out)
	}
}
