package progress

import (
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// screen keeps what is written.
type screen struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *screen) lines() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Split(s.text.String(), "\n")
}

func TestALineEveryTenSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out screen
		b := New(&out, "copying")
		b.Total(400, 4<<20)
		for range 29 {
			time.Sleep(time.Second)
			b.Add(10, 100<<10)
		}
		time.Sleep(500 * time.Millisecond)
		synctest.Wait()
		lines := out.lines()
		require.Len(t, lines, 3, "two lines in 29 s, and no more at the end of the last: %q", lines)
		require.Regexp(t, `^copying: (190|200) of 400 keys, (1\.9|2\.0) MiB of 4\.0 MiB, (9\d|10\d)\.\d\d KiB/s, 2\ds left$`, lines[1])
		b.Done()
		b.Done()
		require.Equal(t, lines, out.lines(), "nothing is left of a bar that was none")
	})
}

func TestABarOnATerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out screen
		b := start(&out, func() int { return 100 }, "copying")
		b.Total(1000, 0)
		time.Sleep(time.Millisecond) // no tick at the moment of an Add
		for range 20 {
			b.Add(25, 1<<10)
			time.Sleep(drawPeriod)
		}
		b.Printf("said %s", "above")
		b.Step("verifying")
		b.Add(3, 5)
		time.Sleep(drawPeriod + time.Millisecond)
		b.Done()
		text := out.text.String()
		require.Contains(t, text, "said above\n")
		drawn := strings.Split(text, clearLine)
		var full string
		for _, line := range drawn {
			require.LessOrEqual(t, len(strings.TrimSuffix(line, "said above\n")), 99, "it fits the terminal")
			if strings.HasPrefix(line, "copying: 500 of 1000 keys, 20 KiB, ") {
				full = line
			}
		}
		require.Regexp(t, `, 1[0-9][0-9]/s, [345]s left \[#+ +\]$`, full)
		_, drawing, _ := strings.Cut(full, "[")
		n, spaces := strings.Count(drawing, "#"), strings.Count(drawing, " ")
		require.InDelta(t, n, spaces, 2, "half of it is done: %q", full)
		require.Equal(t, "verifying: 3 keys, 5 B, 0/s", drawn[len(drawn)-2], "a total of the step before is none of this one")
		require.True(t, strings.HasSuffix(text, clearLine), "the line is empty at the end")
	})
}

// A terminal too narrow for a bar is not written over its edge.
func TestANarrowTerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out screen
		b := start(&out, func() int { return 20 }, "copying")
		b.Total(1000, 0)
		b.Add(500, 1)
		time.Sleep(drawPeriod + time.Millisecond)
		b.Done()
		for _, line := range strings.Split(out.text.String(), clearLine) {
			require.LessOrEqual(t, len(line), 19)
		}
	})
}

func TestAFileIsNoTerminal(t *testing.T) {
	file, err := os.CreateTemp(t.TempDir(), "")
	require.NoError(t, err)
	defer file.Close()
	require.Nil(t, terminalWidth(file))
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	require.NoError(t, err)
	defer null.Close()
	require.Nil(t, terminalWidth(null), "though it is a character device")
}
