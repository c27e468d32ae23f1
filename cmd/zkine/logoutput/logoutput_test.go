package logoutput

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOutputs(t *testing.T) {
	file := filepath.Join(t.TempDir(), "log")
	require.NoError(t, os.WriteFile(file, []byte("before\n"), 0o600))
	for _, c := range []struct {
		outputs                string
		stderr, stdout, onFile string
	}{
		{"", "x\n", "", ""},
		{"default", "x\n", "", ""},
		{"stdout", "", "x\n", ""},
		{"stderr,stdout", "x\n", "x\n", ""},
		{"stdout," + file, "", "x\n", "before\nx\n"},
		{file, "", "", "before\nx\nx\n"},
	} {
		var stderr, stdout strings.Builder
		config := Config{}
		if c.outputs != "" {
			config.Outputs = strings.Split(c.outputs, ",")
		}
		_, err := config.Check()
		require.NoError(t, err)
		out, err := config.Open(&stderr, &stdout)
		require.NoError(t, err)
		n, err := out.Write([]byte("x\n"))
		require.NoError(t, err)
		require.Equal(t, 2, n)
		require.Equal(t, c.stderr, stderr.String(), c.outputs)
		require.Equal(t, c.stdout, stdout.String(), c.outputs)
		if c.onFile != "" {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Equal(t, c.onFile, string(text))
		}
	}
}

func TestRefused(t *testing.T) {
	for _, c := range []struct {
		config     Config
		flag, want string
	}{
		{Config{Outputs: []string{"a", "a"}}, "log-outputs", "a is named twice"},
		{Config{Outputs: []string{""}}, "log-outputs", "an output without a name"},
		{Config{Outputs: []string{"systemd/journal"}}, "log-outputs", "write stderr, which systemd hands to it"},
		{Config{Outputs: []string{"stderr"}, Rotate: true, Rotation: DefaultRotation}, "log-outputs", "0 files are to be rotated"},
		{Config{Outputs: []string{"a", "b"}, Rotate: true, Rotation: DefaultRotation}, "log-outputs", "2 files are to be rotated"},
		{Config{Outputs: []string{"a"}, Rotate: true, Rotation: `{"maxsize": "1"}`}, "log-rotation-config-json", "cannot unmarshal"},
		{Config{Outputs: []string{"a"}, Rotate: true, Rotation: `{"maxage": -1}`}, "log-rotation-config-json", "negative"},
		{Config{Outputs: []string{"a"}, Rotate: true, Rotation: `{"maxsise": 1}`}, "log-rotation-config-json", `unknown field "maxsise"`},
		{Config{Outputs: []string{"a"}, Rotate: true, Rotation: `{"filename": "b"}`}, "log-rotation-config-json", "named by --log-outputs"},
		{Config{Outputs: []string{"a"}, Rotate: true, Rotation: `{} {}`}, "log-rotation-config-json", "after its end"},
	} {
		flag, err := c.config.Check()
		require.ErrorContains(t, err, c.want)
		require.Equal(t, c.flag, flag)
	}
	_, err := Config{Outputs: []string{filepath.Join(t.TempDir(), "not", "there")}}.Open(nil, nil)
	require.ErrorContains(t, err, "no such file or directory")
}

// TestRotation: a file that has become too large is set aside, and all lines are in
// one of both.
func TestRotation(t *testing.T) {
	dir := t.TempDir()
	config := Config{Outputs: []string{filepath.Join(dir, "log")}, Rotate: true, Rotation: `{"maxsize": 1, "maxbackups": 5}`}
	_, err := config.Check()
	require.NoError(t, err)
	out, err := config.Open(nil, nil)
	require.NoError(t, err)
	line := []byte(strings.Repeat("x", 99_999) + "\n")
	const lines = 15 // of 0.1 MB
	for range lines {
		_, err := out.Write(line)
		require.NoError(t, err)
	}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 2)
	total := 0
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		require.NoError(t, err)
		total += strings.Count(string(text), "\n")
		info, err := e.Info()
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	}
	require.Equal(t, lines, total)
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("full") }

func TestAnOutputThatFailsKeepsNothingFromOthers(t *testing.T) {
	var stdout strings.Builder
	out, err := Config{Outputs: []string{Stderr, Stdout}}.Open(broken{}, &stdout)
	require.NoError(t, err)
	_, err = out.Write([]byte("x"))
	require.EqualError(t, err, "full")
	require.Equal(t, "x", stdout.String())
}
