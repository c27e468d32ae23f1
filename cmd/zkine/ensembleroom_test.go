package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision/zktest"
)

// TestAnImportFitsTheHeap: what ZooKeeper's heap does not hold is refused before it ends
// for want of memory, and goes on once it has more.
func TestAnImportFitsTheHeap(t *testing.T) {
	args, _, _ := sharedRoot(t)
	source := startZkine(t, args).ready()
	c, seed := anonymous(t, source), uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	value := make([]byte, 1<<20)
	for i := range 24 {
		for j := range value {
			value[j] = byte(random.Uint32())
		}
		_, err := c.Put(within(t), fmt.Sprint("/key/", i), string(value))
		require.NoError(t, err)
	}
	told := zktest.WithProperty("4lw.commands.whitelist", "srvr,envi,mntr")
	server := zktest.Start(t, zktest.WithHeap(160*mib), told)
	into := []string{"import", "--endpoints=" + source, "--zookeeper=" + server.Addr(), "--zookeeper-root=/moved"}
	out, err := childZkine(t, into...)
	require.Error(t, err, out)
	require.Regexp(t, `zkine: ZooKeeper at .*: its heap of 1\d\d MiB does not hold what is to be written: there was room for \d+ MiB, and there is more`, out)

	closed := zktest.Start(t, zktest.WithHeap(512*mib))
	into[2] = "--zookeeper=" + closed.Addr()
	out, err = childZkine(t, into...)
	require.NoError(t, err, out)
	require.Contains(t, out, "no server tells its heap")
}

// childZkine runs a command in a process of its own, as it sets how garbage is collected.
func childZkine(t *testing.T, args ...string) (out string, err error) {
	t.Helper()
	cmd := exec.CommandContext(within(t), os.Args[0], args...)
	cmd.Env = append(os.Environ(), asZkine+"=1")
	text, err := cmd.CombinedOutput()
	return string(text), err
}
