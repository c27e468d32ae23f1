package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
)

// TestTheManualListsEveryFlag keeps the table in docs/operations.md true, and
// the sections that errors point to in place.
func TestTheManualListsEveryFlag(t *testing.T) {
	manual, err := os.ReadFile("../../docs/operations.md")
	require.NoError(t, err)
	rows := make(map[string]string)
	for line := range strings.Lines(string(manual)) {
		if name, row, found := strings.Cut(strings.TrimPrefix(line, "| `--"), "`"); found && strings.HasPrefix(line, "| `--") {
			rows[name] = row
		}
	}
	flags, _ := newFlags(t)
	flags.VisitAll(func(f *pflag.Flag) {
		require.Contains(t, rows, f.Name)
		require.Contains(t, rows[f.Name], "`"+envName(f.Name)+"`")
		require.Contains(t, rows[f.Name], strings.Trim(f.DefValue, "[]"))
		delete(rows, f.Name)
	})
	require.Empty(t, rows, "rows of flags that do not exist")
	unit, err := os.ReadFile("../../deploy/systemd/zkine.service")
	require.NoError(t, err)
	require.Contains(t, string(unit), fmt.Sprintf("\nRestartPreventExitStatus=%d %d\n", exitUsage, exitDecide))
	for _, title := range []string{"The log went back", "Corrupt"} {
		require.Contains(t, string(manual), "\n## "+title+"\n")
	}
}
