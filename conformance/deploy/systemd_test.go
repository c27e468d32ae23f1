package deploy

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/conformance/rig"
)

// mostExposed is what the unit must stay below, of 10.
const mostExposed = 2.0

const (
	unitFile = "deploy/systemd/zkine.service"
	dropIn   = "deploy/systemd/zkine.service.d/ensemble.conf"
)

// analyzer is a systemd-analyze.
func analyzer(t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	path, err := Analyze(ctx)
	require.NoError(t, err)
	return path
}

// install copies the unit's files into a folder as they lie in /etc/systemd/system, with a program that exists in place
// of zkine's, and returns the unit.
func install(t *testing.T, files ...string) (unit string) {
	t.Helper()
	root, err := rig.Checkout()
	require.NoError(t, err)
	dir := t.TempDir()
	for _, file := range files {
		text, err := os.ReadFile(filepath.Join(root, file))
		require.NoError(t, err)
		to := filepath.Join(dir, strings.TrimPrefix(file, "deploy/systemd/"))
		require.NoError(t, os.MkdirAll(filepath.Dir(to), 0o755))
		text = []byte(strings.ReplaceAll(string(text), "/usr/local/bin/zkine", "/bin/true"))
		require.NoError(t, os.WriteFile(to, text, 0o644))
	}
	return filepath.Join(dir, filepath.Base(unitFile))
}

// TestUnitIsConfined has systemd-analyze judge the unit, alone and with the drop-in for an ensemble.
func TestUnitIsConfined(t *testing.T) {
	analyze := analyzer(t)
	for name, files := range map[string][]string{"local ZooKeeper": {unitFile}, "ensemble": {unitFile, dropIn}} {
		t.Run(name, func(t *testing.T) {
			out, err := exec.CommandContext(t.Context(), analyze, "security", "--offline=true", "--no-pager", install(t, files...)).CombinedOutput()
			require.NoError(t, err, "%s", out)
			overall := regexp.MustCompile(`Overall exposure level for zkine\.service: (\d+\.\d+)`).FindSubmatch(out)
			require.NotNil(t, overall, "%s", out)
			exposed, err := strconv.ParseFloat(string(overall[1]), 64)
			require.NoError(t, err)
			t.Logf("exposure %.1f", exposed)
			require.Less(t, exposed, mostExposed, "%s", out)
			if name == "ensemble" {
				require.Contains(t, string(out), "✓ MemoryDenyWriteExecute", "the drop-in is read")
			}
		})
	}
}

// TestUnitIsUnderstood has systemd read the unit's files: a setting that it does not know is a warning, and counts for
// nothing when the service runs.
func TestUnitIsUnderstood(t *testing.T) {
	analyze := analyzer(t)
	unit := install(t, unitFile, dropIn)
	verify := exec.CommandContext(t.Context(), analyze, "verify", "--man=no", unit)
	out, err := verify.CombinedOutput()
	require.NoError(t, err, "%s", out)
	for line := range strings.Lines(string(out)) {
		require.NotContains(t, line, filepath.Base(unitFile), "systemd says: %s", line)
	}
	broken, err := os.ReadFile(unit)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(unit, append(broken, "[Service]\nProtectEverything=yes\n"...), 0o644))
	out, err = exec.CommandContext(t.Context(), analyze, "verify", "--man=no", unit).CombinedOutput()
	require.Contains(t, string(out), "ProtectEverything", "a setting that systemd does not know is found: %v", err)
}
