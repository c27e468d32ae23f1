package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zklog"
	"github.com/zkine/zkine/revision/zkroot"
)

// target is the root that a command looks after, and how to reach it.
type target struct {
	zookeeper      []string
	root           string
	sessionTimeout time.Duration
	timeout        time.Duration
	dataDir        string
	cluster        clusterFlags

	log *logrus.Entry
}

func (t *target) bind(f *pflag.FlagSet) {
	f.SortFlags = false
	f.StringSliceVar(&t.zookeeper, "zookeeper", nil, "ZooKeeper servers, `host:port,...`")
	f.StringVar(&t.root, "zookeeper-root", "/zkine", "`znode` that holds everything")
	f.DurationVar(&t.sessionTimeout, "zookeeper-session-timeout", 10*time.Second, "how long ZooKeeper may be silent until the connection is given up")
	f.DurationVar(&t.timeout, "timeout", 15*time.Second, "how long to try to reach ZooKeeper")
	f.StringVar(&t.dataDir, "data-dir", "", "`folder` of a local ZooKeeper, to be started for this without --zookeeper")
	f.StringVar(&t.cluster.text, "cluster-id", "", "the `id` that the root's cluster must have")
}

func (t *target) check(v *checker) error {
	v.servers(&t.zookeeper)
	if err := zkroot.CheckRoot(t.root); err != nil {
		v.refuse("zookeeper-root", err.Error(), "name a znode like /zkine")
	}
	v.between("zookeeper-session-timeout", int64(t.sessionTimeout), int64(minSessionTimeout), int64(maxSessionTimeout),
		func(n int64) string { return time.Duration(n).String() })
	v.between("timeout", int64(t.timeout), int64(100*time.Millisecond), int64(24*time.Hour),
		func(n int64) string { return time.Duration(n).String() })
	t.cluster.check(v)
	if len(t.zookeeper) == 0 && t.dataDir == "" {
		v.refuse("zookeeper", "is needed", "name the ensemble's servers, host:port,..., or the folder of a local ZooKeeper with --data-dir")
	}
	if len(t.zookeeper) == 0 && t.dataDir != "" && !holdsZooKeeper(t.dataDir) {
		v.refuse("data-dir", fmt.Sprintf("no local ZooKeeper has kept its data in %q", t.dataDir), "name the folder that zkine server has, or servers with --zookeeper")
	}
	if v.first != nil {
		return v.first
	}
	return nil
}

// newTargetCommand completes a command that does something to a target. The
// context of the command ends with a signal.
func newTargetCommand(environ []string, cmd *cobra.Command, do func(*cobra.Command, *target) error) *cobra.Command {
	t := new(target)
	t.bind(cmd.Flags())
	cmd.Args = noArguments
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		// Variables of the server's other flags are none of this command's.
		env, err := readEnv(cmd.Flags(), environ)
		if err != nil {
			return err
		}
		if err := t.check(&checker{flags: cmd.Flags(), from: env.from}); err != nil {
			return err
		}
		// The error at the end says what the dialer would warn of again and again.
		t.log = newLogger(cmd.ErrOrStderr(), "error", "text")
		ctx, stop := onSignals(t.log)
		defer stop()
		cmd.SetContext(ctx)
		if len(t.zookeeper) == 0 {
			cfg, plan := sizeLocal(config{dataDir: t.dataDir, maxRequest: zklog.DefaultMaxRequest}, t.log)
			zoo, err := startZooKeeper(ctx, cfg, plan, t.log)
			if err != nil {
				return err
			}
			defer stopZooKeeper(zoo, t.log)
			t.zookeeper = []string{zoo.Addr()}
		}
		return do(cmd, t)
	}
	return cmd
}

// holdsZooKeeper says whether a local ZooKeeper has kept its data in a folder. To
// start one elsewhere would make the folder, and begin with nothing. Other faults
// are told by the start.
func holdsZooKeeper(folder string) bool {
	_, err := os.Stat(filepath.Join(folder, "data", "version-2"))
	return !errors.Is(err, fs.ErrNotExist)
}

func (t *target) config() zklog.Config {
	zookeeper := &zkclient.Ensemble{Servers: t.zookeeper, Timeout: t.sessionTimeout, MaxRequest: zklog.DefaultMaxRequest, Log: t.log}
	return zklog.Config{Dialer: patient{zookeeper, t}, Root: t.root, ClusterID: uint64(t.cluster.id), Log: t.log}
}

// patient is a dialer that gives up after a while.
type patient struct {
	zkclient.Dialer
	t *target
}

func (p patient) Dial(ctx context.Context) (zkclient.Conn, error) {
	within, cancel := context.WithTimeoutCause(ctx, p.t.timeout, fmt.Errorf("tried for %v", p.t.timeout))
	defer cancel()
	conn, err := p.Dialer.Dial(within)
	if err == nil || ctx.Err() != nil {
		return conn, err
	}
	return nil, &problem{thing: "ZooKeeper at " + strings.Join(p.t.zookeeper, ","), what: oneLine(err.Error()),
		remedy: "check --zookeeper, or try for longer with --timeout"}
}
