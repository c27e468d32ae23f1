package main

import (
	"fmt"

	"github.com/spf13/pflag"

	"github.com/zkine/zkine/revision/zkroot"
)

// clusterFlags say which cluster is to be served.
type clusterFlags struct {
	text  string
	isNew bool

	id     zkroot.ClusterID // what text says; 0 for any
	served *zkroot.Served   // what the record in the data folder says; nil without one
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
