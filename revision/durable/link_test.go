package durable_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision/durable"
)

// TestLink: the file has the new name, and one that is there is left as it is.
func TestLink(t *testing.T) {
	dir := t.TempDir()
	from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
	require.NoError(t, os.WriteFile(from, []byte("new"), 0o600))
	require.NoError(t, durable.Link(from, to))
	require.NoError(t, os.WriteFile(from+"2", []byte("other"), 0o600))
	require.ErrorIs(t, durable.Link(from+"2", to), fs.ErrExist)
	data, err := os.ReadFile(to)
	require.NoError(t, err)
	require.Equal(t, "new", string(data))
	require.ErrorIs(t, durable.Link(filepath.Join(dir, "none"), to+"2"), fs.ErrNotExist)
}
