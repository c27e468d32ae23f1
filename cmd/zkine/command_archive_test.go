package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision/zktest"
)

// TestArchiveAndVerify archives a root while a zkine serves it, twice.
func TestArchiveAndVerify(t *testing.T) {
	args, _, _ := sharedRoot(t)
	c := anonymous(t, startZkine(t, args).ready())
	for range 5 {
		_, err := c.Put(t.Context(), "secret-key", "secret-value")
		require.NoError(t, err)
	}
	folder := filepath.Join(t.TempDir(), "archive")
	once := append([]string{"archive", "--once", "--to=file://" + folder}, args...)
	out, err := zkine(once...)
	require.NoError(t, err, out)
	require.Regexp(t, `folder `+folder+`, cluster [0-9a-f]{16}: wrote \d+ slots and 0 checkpoints in \d+ objects of \d+ bytes\narchived up to slot 1/\d+, written 20`, out)
	out, err = zkine(once...)
	require.NoError(t, err, out)
	require.Contains(t, out, "wrote 0 slots")

	out, err = zkine("archive", "verify", "--archive="+folder)
	require.NoError(t, err, out)
	require.Contains(t, out, "\nfrom the first slot there ever was\nup to slot 1/")
	require.True(t, strings.HasSuffix(out, "\nsound\n"), out)

	objects, err := filepath.Glob(filepath.Join(folder, "*", "slots", "*"))
	require.NoError(t, err)
	require.NotEmpty(t, objects)
	require.NoError(t, os.Truncate(objects[0], 100))
	out, err = zkine("archive", "verify", "--archive="+folder)
	require.EqualError(t, err, `archive: 1 findings in folder `+folder+` — see "When an archive is damaged" in docs/recovery.md`)
	require.Equal(t, 1, strings.Count(out, filepath.Base(objects[0])), out)
}

// TestArchiveRefusesByName: what cannot be is told in one line, before anything is done.
func TestArchiveRefusesByName(t *testing.T) {
	args := []string{"--zookeeper=" + zktest.Shared(t).Addr(), "--zookeeper-root=/nothing-there"}
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, []byte("no zip"), 0o600))
	empty := t.TempDir()
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"archive"}, `^--to: is needed — `},
		{[]string{"archive", "--to=http://x"}, `^--to: there are no archives on "http"; write file:`},
		{[]string{"archive", "--to=s3://user:pass@bucket"}, `^--to: it holds a user or a password; name a credentials-file`},
		{[]string{"archive", "--to=" + empty, "--interval=1ms"}, `^--interval: 1ms is out of bounds`},
		{[]string{"archive", "--to=" + empty, "--retention=-1h"}, `^--retention: -1h0m0s is out of bounds`},
		{[]string{"archive", "--to=nothing"}, `^--to: it is no URL, and no file here; write file:`},
		{[]string{"archive", "--to=" + empty}, `no zkine data under /nothing-there`},
	} {
		_, err := zkine(append(append(c.args, "--once"), args...)...)
		require.Error(t, err, c.args)
		require.Regexp(t, c.want, explain(err).Error())
		require.NotContains(t, explain(err).Error(), "pass@")
	}
	for location, want := range map[string]string{
		"":          `^--archive: is needed — `,
		file:        `truncated, or no archive of zkine's in one file`,
		"/nowhere/": `/nowhere: no such file or directory — check --archive$`,
		empty:       `holds nothing`,
	} {
		_, err := zkine("archive", "verify", "--archive="+location)
		require.Error(t, err, location)
		require.Regexp(t, want, explain(err).Error())
	}
	entries, err := os.ReadDir(empty)
	require.NoError(t, err)
	require.Empty(t, entries)
	_, err = zkine(append([]string{"backup", "/nowhere/prod.zkine"}, args...)...)
	require.EqualError(t, explain(err), "/nowhere/prod.zkine: it cannot be written: no such file or directory — name a file in a folder that is there and can be written to")
	_, err = zkine("server", "--archive=ftp://x", "--zookeeper=127.0.0.1:1")
	require.ErrorContains(t, err, `--archive: there are no archives on "ftp"`)
}
