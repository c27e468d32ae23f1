package embedded

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLogFileRotatesAndKeepsItsTail(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l, err := openLogFile(path)
	require.NoError(t, err)
	defer l.close()
	line := []byte(strings.Repeat("x", 64<<10) + "\n")
	for range logFileSize/len(line) + 2 {
		_, err := l.Write(line)
		require.NoError(t, err)
	}
	_, err = l.Write([]byte("one\ntwo\n"))
	require.NoError(t, err)
	require.Equal(t, "one\ntwo", l.last(2))
	old, err := os.Stat(path + ".1")
	require.NoError(t, err)
	require.Greater(t, old.Size(), int64(logFileSize))
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.True(t, strings.HasSuffix(string(data), "one\ntwo\n"))
}
