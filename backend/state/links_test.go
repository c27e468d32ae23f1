package state

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestStateLinksNoIO has the package stay pure by what it links: neither a
// client of ZooKeeper nor what logs, starts goroutines or processes. (S2 packs
// values; zstd, which packs the log, belongs to that.)
func TestStateLinksNoIO(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	require.NoError(t, err)
	packages := strings.Fields(string(out))
	require.Contains(t, packages, "github.com/zkine/zkine/backend/state")
	for _, p := range packages {
		for _, forbidden := range []string{"go-zookeeper", "klauspost/compress/zstd", "logrus", "os/exec"} {
			require.NotContains(t, p, forbidden, "package state links %s: only the vocabulary of package revision, records and etcd's messages belong here", p)
		}
	}
}
