package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/conformance/rig"
)

// TestInstall installs as a packager does, with a prefix that is not the default: the unit starts the program that came
// with it, and shells and man find what is theirs in the folders where they look.
func TestInstall(t *testing.T) {
	root, err := rig.Checkout()
	require.NoError(t, err)
	dest := t.TempDir()
	install := exec.CommandContext(t.Context(), "make", "install", "DESTDIR="+dest, "PREFIX=/usr", "VERSION="+version,
		"ZKINE="+filepath.Join(t.TempDir(), "zkine"))
	install.Dir = root
	text, err := install.CombinedOutput()
	require.NoError(t, err, "%s", text)

	unit, err := ReadUnit(filepath.Join(dest, "usr", "lib", "systemd", "system", "zkine.service"))
	require.NoError(t, err)
	require.Len(t, unit["ExecStart"], 1)
	program, _, _ := strings.Cut(unit["ExecStart"][0], " ")
	said, err := exec.CommandContext(t.Context(), filepath.Join(dest, program), "version").Output()
	require.NoError(t, err, "the unit starts %s", program)
	require.Contains(t, string(said), version)
	for file, holds := range map[string]string{
		"man/man1/zkine-server.1": "--listen-client-urls", "bash-completion/completions/zkine": "__start_zkine",
		"zsh/site-functions/_zkine": "#compdef zkine", "fish/vendor_completions.d/zkine.fish": "complete -c zkine",
	} {
		text, err := os.ReadFile(filepath.Join(dest, "usr", "share", file))
		require.NoError(t, err)
		require.Contains(t, string(text), holds, file)
	}
}
