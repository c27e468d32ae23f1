package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTheComposeFileHasBothFolders keeps zkine's two folders in each of its
// services: YAML's << takes a list over as a whole or not at all, so that a
// service with volumes of its own has none of those above it.
func TestTheComposeFileHasBothFolders(t *testing.T) {
	file, err := os.ReadFile("../../deploy/container/compose.yaml")
	require.NoError(t, err)
	services := strings.Split(string(file), "\n    <<: *zkine\n")[1:]
	require.Len(t, services, 2)
	for _, service := range services {
		_, volumes, found := strings.Cut(service, "\n    volumes: [")
		require.True(t, found)
		volumes, _, _ = strings.Cut(volumes, "]")
		require.Contains(t, volumes, ":/var/lib/zkine", "what it remembers")
		require.Contains(t, strings.Split(volumes, ", "), "/tmp", "for snapshots: the rest is read-only")
	}
}

// TestTheUnitHasBothFolders keeps what zkine remembers where systemd lets it write,
// over restarts, and snapshots where /tmp is no memory.
func TestTheUnitHasBothFolders(t *testing.T) {
	unit, err := os.ReadFile("../../deploy/systemd/zkine.service")
	require.NoError(t, err)
	for _, line := range []string{"StateDirectory=zkine", "Environment=ZKINE_DATA_DIR=/var/lib/zkine", "Environment=ZKINE_TEMP_DIR=/var/tmp", "PrivateTmp=yes"} {
		require.Contains(t, string(unit), "\n"+line+"\n")
	}
}

// TestTheImageIsBuiltFromAllFolders looks for a package of the program whose
// folder the image's build does not copy.
func TestTheImageIsBuiltFromAllFolders(t *testing.T) {
	file, err := os.ReadFile("../../deploy/container/Dockerfile")
	require.NoError(t, err)
	const module = "github.com/zkine/zkine/"
	packages, err := exec.Command("go", "list", "-deps", ".").Output()
	require.NoError(t, err)
	found := 0
	for name := range strings.Lines(string(packages)) {
		if name, ours := strings.CutPrefix(strings.TrimSpace(name), module); ours {
			folder, _, _ := strings.Cut(name, "/")
			require.Contains(t, string(file), "\nCOPY "+folder+" "+folder+"\n")
			found++
		}
	}
	require.Greater(t, found, 5)
}
