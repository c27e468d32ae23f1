package clients

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestNodeClient runs a program in Node with the npm package etcd3: keys, transactions, watches, leases, locks, elections,
// users. npm gets the package, as testdata/node/package-lock.json names it.
func TestNodeClient(t *testing.T) {
	slow(t)
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "node"))))
	install := exec.CommandContext(within(t), "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	install.Dir = dir
	text, err := install.CombinedOutput()
	require.NoError(t, err, "npm ci (Debian: apt-get install npm): %s", text)
	onBoth(t, func(t *testing.T, endpoint string) {
		program := exec.CommandContext(within(t), "node", filepath.Join(dir, "client.js"), "http://"+endpoint)
		text, err := program.CombinedOutput()
		require.NoError(t, err, "%s", text)
		require.Contains(t, string(text), "roles: as with etcd")
	})
}
