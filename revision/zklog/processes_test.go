package zklog_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision/zklog"
	"github.com/zkine/zkine/revision/zktest"
)

// childRoot, in the environment of this test's own binary, makes it append
// until it is killed.
const childRoot = "ZKINE_TEST_CHILD_ROOT"

// childMain appends and prints each nonce once it is acknowledged.
func childMain(root string) {
	log, err := zklog.Open(context.Background(), zklog.Config{Dialer: dialer(os.Getenv("ZKINE_TEST_SERVER")), Root: root, MaxSlots: 20, Log: quiet()})
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	go func() {
		for {
			if _, err := log.Next(context.Background()); err != nil {
				return
			}
		}
	}()
	for i := 0; ; i++ {
		b := batchOf(put(fmt.Sprint(i), "v"))
		if _, err := log.Append(context.Background(), b); err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		fmt.Println("acked", b.Nonce)
	}
}

// TestTwoProcessesAtOnceOneKilled runs two writers of the same root as
// processes of their own, kills one with SIGKILL in the middle, and looks for
// every acknowledged batch.
func TestTwoProcessesAtOnceOneKilled(t *testing.T) {
	server, root := zktest.Shared(t), zktest.Root(t)
	a := openLog(t, zklog.Config{Dialer: dialer(server.Addr()), Root: root, MaxSlots: 20})
	var outputs [2]*lines
	for i := range outputs {
		outputs[i] = &lines{}
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childRoot+"="+root, "ZKINE_TEST_SERVER="+server.Addr())
		cmd.Stdout = outputs[i]
		require.NoError(t, cmd.Start())
		t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() }) //nolint:errcheck // it was killed
		require.Eventually(t, func() bool { return outputs[i].count() > 50 }, 60*time.Second, 5*time.Millisecond)
		if i == 1 {
			require.NoError(t, cmd.Process.Kill())
			cmd.Wait() //nolint:errcheck // it was killed
		}
	}
	before := outputs[0].count()
	require.Eventually(t, func() bool { return outputs[0].count() > before+20 }, 60*time.Second, 5*time.Millisecond,
		"the other writer goes on")
	acked := append(outputs[0].all(), outputs[1].all()...)
	end, err := a.log.Barrier(t.Context())
	require.NoError(t, err)
	there := map[string]bool{}
	for _, s := range a.reach(end) {
		there[s.Nonce.String()] = true
	}
	for _, line := range acked {
		nonce, found := strings.CutPrefix(line, "acked ")
		require.True(t, found, line)
		require.True(t, there[nonce], "an acknowledged batch is missing")
	}
}

// lines collects what a child prints; only whole lines count.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	whole := l.buf.String()
	whole = whole[:strings.LastIndexByte(whole, '\n')+1]
	return strings.Split(strings.TrimSuffix(whole, "\n"), "\n")
}

func (l *lines) count() int { return len(l.all()) }
