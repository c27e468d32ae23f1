package contender

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/zkine/zkine/conformance/api/process"
	"github.com/zkine/zkine/revision/embedded"
)

// Programs are the executables: zkine of this checkout, and what components/build.sh builds.
type Programs struct {
	Zkine     string
	Before    string // another zkine to compare with, "" if there is none
	Etcd      string
	Kine      string
	Benchmark string // etcd's own
	ZooKeeper *embedded.Distribution
}

// Find finds the programs; zkine is the one given, or built if that is "". What is missing shows when it is started.
func Find(ctx context.Context, zkine string) (Programs, error) {
	root, err := process.Checkout()
	if err != nil {
		return Programs{}, err
	}
	built := func(name string) string { return filepath.Join(root, ".cache", "bin", name) }
	p := Programs{Etcd: built("etcd"), Kine: built("kine"), Benchmark: built("benchmark")}
	dir := os.Getenv("ZKINE_ZOOKEEPER_DIR")
	if dir == "" {
		dir = filepath.Join(root, ".cache", "zookeeper")
	}
	if p.ZooKeeper, err = embedded.Find(embedded.FindOptions{Dir: dir}); err != nil {
		return p, fmt.Errorf("%w; run make zookeeper", err)
	}
	if p.Zkine = zkine; zkine == "" {
		p.Zkine, err = process.Zkine(ctx, false)
	}
	return p, err
}
