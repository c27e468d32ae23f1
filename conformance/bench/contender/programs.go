package contender

import (
	"context"

	"github.com/zkine/zkine/conformance/rig"
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
	p := Programs{Zkine: zkine}
	for name, path := range map[string]*string{"etcd": &p.Etcd, "kine": &p.Kine, "benchmark": &p.Benchmark} {
		var err error
		if *path, err = rig.Component(name); err != nil {
			return p, err
		}
	}
	var err error
	if p.ZooKeeper, err = rig.FindZooKeeper(); err != nil {
		return p, err
	}
	if zkine == "" {
		p.Zkine, err = rig.BuildZkine(ctx)
	}
	return p, err
}
