package differential

import (
	"context"
	"flag"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/conformance/rig"
	"github.com/zkine/zkine/conformance/rig/rigtest"
	"github.com/zkine/zkine/revision/zktest"
)

// buildPatience is for a machine that builds much else.
const buildPatience = 5 * time.Minute

// program is a zkine that runs.
type program struct {
	*rigtest.Zkine
	root string
	busy bool
}

// busyFlags make a zkine go on to a new segment after every few slots, pack the one before and write a checkpoint when
// there is as much log as that takes.
var busyFlags = []string{"--log-segment-slots=8", "--checkpoint-log-bytes=1"}

func startZkine(t *testing.T, busy bool) *program {
	t.Helper()
	return start(t, zktest.Root(t), "one", busy)
}

// another starts a second zkine on the same root.
func (p *program) another(t *testing.T) *program {
	t.Helper()
	return start(t, p.root, "two", p.busy)
}

func start(t *testing.T, root, name string, busy bool) *program {
	t.Helper()
	c := rig.ZkineConfig{Program: binary(t), Name: name, ZooKeeper: zktest.Shared(t).Addr(), Root: root}
	if busy {
		c.Args = busyFlags
	}
	return &program{rigtest.StartAs(t, c), root, busy}
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
	bin, err := rig.BuildZkine(ctx, buildFlags...)
	require.NoError(t, err)
	return bin
}
