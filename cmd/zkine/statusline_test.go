package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/backend"
)

// The bar stays below what is logged, and goes when it is done.
func TestStatusLine(t *testing.T) {
	var screen strings.Builder
	s := &statusLine{out: &screen}
	io.WriteString(s, "one\n")
	s.show("bar 1")
	s.show("bar 1") // no need to draw it again
	io.WriteString(s, "two\n")
	s.show("")
	io.WriteString(s, "three\n")
	require.Equal(t, "one\n"+clearLine+"bar 1"+clearLine+"two\nbar 1"+clearLine+"three\n", screen.String())
}

func TestBar(t *testing.T) {
	p := backend.Progress{Step: "replaying the log", Done: 50, Total: 100, Unit: "slots", Took: 2 * time.Second}
	require.Equal(t, "["+strings.Repeat("#", 15)+strings.Repeat(" ", 15)+"] replaying the log: 50 %, 50 of 100 slots, 25 slots/s, 2s left", bar(p))
}

// A file and a buffer get no bar.
func TestOnlyATerminalHasAStatusLine(t *testing.T) {
	_, found := terminal(&strings.Builder{})
	require.False(t, found)
	file, err := os.Create(filepath.Join(t.TempDir(), "log"))
	require.NoError(t, err)
	defer file.Close()
	_, found = terminal(file)
	require.False(t, found)
	device, err := os.Open(os.DevNull) // the nearest thing to a terminal that a test has
	require.NoError(t, err)
	defer device.Close()
	_, found = terminal(device)
	require.True(t, found)
}

// A start of more than a moment shows a bar, and takes it away at its end.
func TestFollowDraws(t *testing.T) {
	screen := &lockedBuffer{}
	status := &statusLine{out: screen}
	done := showStartup(logrus.NewEntry(logrus.New()), status, new(backend.Startup))
	require.Eventually(t, func() bool { return strings.Contains(screen.String(), "the log is not open yet") },
		30*time.Second, 10*time.Millisecond)
	done()
	require.True(t, strings.HasSuffix(screen.String(), clearLine))
}

// lockedBuffer is a buffer that two goroutines use.
type lockedBuffer struct {
	mu     sync.Mutex
	buffer strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}
