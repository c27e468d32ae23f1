package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zklog"
	"github.com/zkine/zkine/revision/zkroot"
)

// clusterFlags say which cluster is to be served.
type clusterFlags struct {
	text  string
	isNew bool

	id     zkroot.ClusterID // what text says; 0 for any
	served *zkroot.Served   // what is remembered; nil for nothing
}

func (c *clusterFlags) bind(f *pflag.FlagSet) {
	f.StringVar(&c.text, "cluster-id", "", "serve only the cluster with this `id`, as the log names it at each start; nothing is made under an empty root then")
	f.BoolVar(&c.isNew, "new-cluster", false, "serve another cluster than before, and make an empty one if there is none; for one start")
}

func (c *clusterFlags) check(v *checker) {
	if c.text == "" {
		return
	}
	if err := c.id.UnmarshalText([]byte(c.text)); err != nil {
		v.refuse("cluster-id", fmt.Sprintf("%q is not a cluster id", c.text), "write it as the log does: up to 16 hexadecimal digits")
	}
	if c.isNew {
		v.refuse("new-cluster", "it contradicts --cluster-id", "leave one of them out")
	}
}

// clusterLine says what is served, and whether it was there before.
func clusterLine(root string, l *zklog.Log, rev int64) string {
	id, found := zkroot.ClusterID(l.ClusterID()), l.Found()
	if found.Made {
		return fmt.Sprintf("made a new cluster under %s: serving cluster %v, which is empty", root, id)
	}
	return fmt.Sprintf("found a cluster under %s: serving cluster %v, revision %d, last written %s",
		root, id, rev, found.Written.UTC().Format(time.RFC3339))
}

// refusedRoot says why a root could not be opened. An operator who meant to leave a
// cluster, or has two zkines share a folder, has to know which file refuses the root.
func refusedRoot(cfg config, err error) *problem {
	p := about("root "+cfg.root, err)
	if cfg.cluster.served != nil && cfg.cluster.id == 0 && errors.Is(err, revision.ErrWrongCluster) {
		p.remedy += fmt.Sprintf("; it is remembered in %s: zkines of different clusters need a --data-dir each", memoryPath(cfg.dataDir, cfg.root))
	}
	return p
}
