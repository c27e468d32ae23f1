package house

import (
	"context"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zkine/zkine/conformance/rig"
)

// unlinked are packages with what they must not link, by import or through another package. A name stands for all below
// it, too.
var unlinked = map[string][]string{
	// The state machine applies a log that is given to it: it reaches no ZooKeeper, no disk and no log file.
	// It packs values by S2; what packs the log is none of its business.
	"backend/state": {
		"github.com/go-zookeeper/zk", "github.com/klauspost/compress/zstd", "github.com/sirupsen/logrus", "os/exec",
		module + "/revision/zkclient", module + "/revision/zklog", module + "/revision/embedded",
	},
	// The vocabulary, which everything links.
	"revision": {
		"github.com/go-zookeeper/zk", "github.com/klauspost/compress", "github.com/sirupsen/logrus", "os/exec",
	},
}

// TestLinked asks Go for all that these packages link.
func TestLinked(t *testing.T) {
	root, err := rig.Checkout()
	if err != nil {
		t.Fatal(err)
	}
	for pkg, forbidden := range unlinked {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		list := exec.CommandContext(ctx, "go", "list", "-deps", "./"+pkg)
		list.Dir = root
		out, err := list.Output()
		if err != nil {
			t.Fatalf("go list -deps ./%s: %v", pkg, err)
		}
		linked := strings.Fields(string(out))
		for _, name := range forbidden {
			if slices.ContainsFunc(linked, func(p string) bool { return p == name || within(p, name) }) {
				t.Errorf("%s links %s, and must not (conformance/house/linked_test.go): go list -deps shows by what", pkg, name)
			}
		}
	}
}
