package top

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/charmbracelet/x/vt"
	"github.com/creack/pty"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// patience bounds every wait for what must come.
const patience = time.Minute

// terminal is a program on a pseudo-terminal, with an emulator on the other side.
type terminal struct {
	t     *testing.T
	pty   *os.File
	tty   *os.File // stays open, to look at the terminal's settings afterwards
	cmd   *exec.Cmd
	ended chan error

	mu     sync.Mutex
	screen *vt.Emulator
	raw    bytes.Buffer
	height int
	before unix.Termios // the terminal's settings when the program began
	// hidden and alternate are what the program has asked for last.
	hidden, alternate bool
}

// run starts a program on a terminal of a size.
func run(t *testing.T, cmd *exec.Cmd, width, height int) *terminal {
	t.Helper()
	master, slave, err := pty.Open()
	require.NoError(t, err)
	require.NoError(t, pty.Setsize(master, &pty.Winsize{Cols: uint16(width), Rows: uint16(height)}))
	r := &terminal{t: t, pty: master, tty: slave, cmd: cmd, ended: make(chan error, 1), screen: vt.NewEmulator(width, height), height: height}
	r.screen.SetCallbacks(vt.Callbacks{
		AltScreen:        func(on bool) { r.alternate = on },
		CursorVisibility: func(visible bool) { r.hidden = !visible },
	})
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	r.before = r.settings()
	require.NoError(t, cmd.Start())
	var running sync.WaitGroup
	running.Go(func() { r.ended <- cmd.Wait() })
	running.Go(r.draw)
	running.Go(func() { _, _ = io.Copy(master, r.screen) }) // what a terminal answers when it is asked
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		slave.Close()
		master.Close()
		// Emulator.Close is not for two goroutines; the end of its answers is.
		if answers, ok := r.screen.InputPipe().(io.Closer); ok {
			answers.Close()
		}
		running.Wait()
		if t.Failed() {
			t.Logf("the screen at last:\n%s", r.text())
		}
	})
	return r
}

// draw gives the emulator what the program writes.
func (r *terminal) draw() {
	b := make([]byte, 32<<10)
	for {
		n, err := r.pty.Read(b)
		r.mu.Lock()
		r.raw.Write(b[:n])
		_, _ = r.screen.Write(b[:n])
		r.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// text is what the screen shows, without blanks at the ends of lines.
func (r *terminal) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var lines []string
	for l := range strings.SplitSeq(r.screen.String(), "\n") {
		lines = append(lines, strings.TrimRight(l, " \r"))
	}
	return strings.Join(lines, "\n")
}

// coloured says whether anything that the screen shows has a colour.
func (r *terminal) coloured() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for y := range r.screen.Height() {
		for x := range r.screen.Width() {
			if cell := r.screen.CellAt(x, y); cell != nil && colours.MatchString(cell.Style.String()) {
				return true
			}
		}
	}
	return false
}

// await waits until the screen shows all of some texts.
func (r *terminal) await(texts ...string) string {
	r.t.Helper()
	return r.awaitThat(strings.Join(texts, ", "), func(screen string) bool {
		for _, text := range texts {
			if !strings.Contains(screen, text) {
				return false
			}
		}
		return true
	})
}

func (r *terminal) awaitThat(what string, good func(screen string) bool) string {
	r.t.Helper()
	var screen string
	require.Eventually(r.t, func() bool { screen = r.text(); return good(screen) }, patience, 10*time.Millisecond, "the screen never shows %s", what)
	return screen
}

// press sends keys.
func (r *terminal) press(keys string) {
	r.t.Helper()
	_, err := io.WriteString(r.pty, keys)
	require.NoError(r.t, err)
}

func (r *terminal) resize(width, height int) {
	r.t.Helper()
	r.mu.Lock()
	r.screen.Resize(width, height)
	r.height = height
	r.mu.Unlock()
	require.NoError(r.t, pty.Setsize(r.pty, &pty.Winsize{Cols: uint16(width), Rows: uint16(height)}))
}

// settings are those of the terminal: echo, lines, signals.
func (r *terminal) settings() unix.Termios {
	r.t.Helper()
	s, err := unix.IoctlGetTermios(int(r.tty.Fd()), unix.TCGETS)
	require.NoError(r.t, err)
	return *s
}

// end waits for the program's end, and has the terminal be as it was.
func (r *terminal) end() int {
	r.t.Helper()
	select {
	case err := <-r.ended:
		r.ended <- err
	case <-time.After(patience):
		require.FailNow(r.t, "the program does not end")
	}
	require.Equal(r.t, r.before, r.settings(), "the terminal's settings")
	require.Eventually(r.t, func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return !r.hidden && !r.alternate
	}, patience, time.Millisecond, "the cursor is hidden, or the screen is still the other one")
	return r.cmd.ProcessState.ExitCode()
}
