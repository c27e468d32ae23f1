package embedded_test

import (
	"fmt"
	"math/bits"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision/embedded"
)

// allowed are how many processors each thread of a process may run on, by thread id.
func allowed(t *testing.T, pid int) map[string]int {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	counts := map[string]int{}
	for _, file := range files {
		status, err := os.ReadFile(file)
		if err != nil {
			continue // the thread has ended
		}
		mask := regexp.MustCompile(`(?m)^Cpus_allowed:\s*(\S+)$`).FindSubmatch(status)
		require.NotNil(t, mask)
		for word := range strings.SplitSeq(string(mask[1]), ",") {
			n, err := strconv.ParseUint(word, 16, 32)
			require.NoError(t, err)
			counts[file] += bits.OnesCount64(n)
		}
	}
	return counts
}

// TestAServerRunsOnOneProcessor looks at all threads of a server and of this process, before and after the server has
// died and was started again.
func TestAServerRunsOnOneProcessor(t *testing.T) {
	if runtime.NumCPU() < 2 {
		t.Skip("this machine has one processor, for all that there is")
	}
	look := func(s *embedded.Server) {
		t.Helper()
		for thread, n := range allowed(t, s.Pid()) {
			require.Equal(t, 1, n, thread)
		}
	}
	s := start(t, config(t.TempDir()))
	look(s)
	before := s.Pid()
	s.Signal(os.Kill)
	require.Eventually(t, func() bool { return s.Pid() != before }, patience, 1)
	require.NoError(t, s.Ready(within(t)))
	look(s)
	require.NoError(t, s.Stop(within(t)))
	cfg := config(t.TempDir())
	cfg.AllProcessors = true
	for thread, n := range allowed(t, start(t, cfg).Pid()) {
		require.Equal(t, runtime.NumCPU(), n, thread)
	}
	for thread, n := range allowed(t, os.Getpid()) {
		require.Equal(t, runtime.NumCPU(), n, thread, "of the process that started them")
	}
}
