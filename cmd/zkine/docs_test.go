package main

import (
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/cmd/zkine/doctor"
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

// TestTheDocumentListsEveryCheck keeps the table in docs/doctor.md true.
func TestTheDocumentListsEveryCheck(t *testing.T) {
	manual, err := os.ReadFile("../../docs/doctor.md")
	require.NoError(t, err)
	_, table, found := strings.Cut(string(manual), "\n### The checks\n")
	require.True(t, found)
	table, _, _ = strings.Cut(table, "\nWhat it does to the ensemble")
	names, about := doctor.Names()
	for i, name := range names {
		require.Contains(t, table, fmt.Sprintf("\n| `%s` | %s |", name, about[i]))
	}
	require.Equal(t, len(names), strings.Count(table, "\n| `"), "rows of checks that do not exist")
}

// TestSymptomsAreOurs has each line of the log that docs/symptoms.md quotes in zkine's
// source: what a row quotes is a part of a message, with three dots for what varies.
func TestSymptomsAreOurs(t *testing.T) {
	page, err := os.ReadFile("../../docs/symptoms.md")
	require.NoError(t, err)
	_, ours, found := strings.Cut(string(page), "\n## Errors that end zkine\n")
	require.True(t, found)
	ours, _, found = strings.Cut(ours, "\n## What ZooKeeper's log says\n")
	require.True(t, found)
	source := productSource(t)
	quoted := 0
	for line := range strings.Lines(ours) {
		cells := strings.Split(line, " | ")
		if !strings.HasPrefix(line, "| `") || len(cells) < 2 {
			continue
		}
		for i, span := range strings.Split(cells[0], "`") {
			if i%2 == 0 {
				continue
			}
			// What comes before a colon is of another place in the source.
			for part := range strings.SplitSeq(strings.ReplaceAll(span, ": ", "..."), "...") {
				if part = strings.Trim(part, " :;,"); len(part) > 3 {
					quoted++
					if !strings.Contains(source, part) {
						t.Errorf("docs/symptoms.md quotes %q, which zkine does not say", part)
					}
				}
			}
		}
	}
	require.Greater(t, quoted, 60)
}

// productSource is the text of the product, with strings that are put together from
// several made one.
func productSource(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	root := os.DirFS("../..")
	for _, layer := range []string{"cmd", "server", "backend", "revision"} {
		require.NoError(t, fs.WalkDir(root, layer, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := fs.ReadFile(root, path)
			all.Write(text)
			return err
		}))
	}
	joined := regexp.MustCompile(`" \+\s*"`).ReplaceAllString(all.String(), "")
	return strings.ReplaceAll(joined, `\"`, `"`)
}
