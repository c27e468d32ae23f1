package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/spf13/pflag"
)

// logOptions are the flags of `zkine log`: which root, and how to reach it.
type logOptions struct {
	zookeeper      []string
	root           string
	sessionTimeout time.Duration
	timeout        time.Duration
	dataDir        string
	cluster        clusterFlags
	security       securityFlags

	// makesLocal says that there need not be a local ZooKeeper in dataDir before,
	// optional that no root need be named.
	makesLocal, optional bool
	// local says that zookeeper was not named, and is the one in dataDir.
	local bool

	log     *logrus.Entry
	secured security
}

func (o *logOptions) bind(f *pflag.FlagSet) {
	f.SortFlags = false
	f.StringSliceVar(&o.zookeeper, "zookeeper", nil, "ZooKeeper servers, `host:port,...`")
	f.StringVar(&o.root, "zookeeper-root", "/zkine", "`znode` that holds everything")
	f.DurationVar(&o.sessionTimeout, "zookeeper-session-timeout", 10*time.Second, "how long ZooKeeper may be silent until the connection is given up")
	o.security.bind(f)
	f.DurationVar(&o.timeout, "timeout", 15*time.Second, "how long to try to reach ZooKeeper")
	f.StringVar(&o.dataDir, "data-dir", "", "`folder` of a local ZooKeeper, to be started for this without --zookeeper")
	f.StringVar(&o.cluster.text, "cluster-id", "", "the `id` that the root's cluster must have")
}

// check refuses what cannot be, with the first thing that is wrong.
func (o *logOptions) check(v *checker) error {
	v.servers(&o.zookeeper)
	v.root(o.root)
	v.duration("zookeeper-session-timeout", o.sessionTimeout, minSessionTimeout, maxSessionTimeout)
	v.duration("timeout", o.timeout, 100*time.Millisecond, 24*time.Hour)
	o.security.check(v, o.zookeeper)
	o.cluster.check(v)
	if !o.named() && !o.optional {
		v.refuse("zookeeper", "is needed", "name the ensemble's servers, host:port,..., or the folder of a local ZooKeeper with --data-dir")
	}
	if len(o.zookeeper) == 0 && o.dataDir != "" && !o.makesLocal && !holdsZooKeeper(o.dataDir) {
		v.refuse("data-dir", fmt.Sprintf("no local ZooKeeper has kept its data in %q", o.dataDir), "name the folder that zkine server has, or servers with --zookeeper")
	}
	return v.err()
}

// named says whether a root is.
func (o *logOptions) named() bool { return len(o.zookeeper) > 0 || o.dataDir != "" }

// holdsZooKeeper says whether a local ZooKeeper has kept its data in a folder. To
// start one elsewhere would make the folder, and begin with nothing. Other faults
// are told by the start.
func holdsZooKeeper(folder string) bool {
	_, err := os.Stat(filepath.Join(folder, "data", "version-2"))
	return !errors.Is(err, fs.ErrNotExist)
}
