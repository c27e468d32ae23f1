package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/zkine/zkine/revision"
)

const verifyHelp = `Read everything that zkine keeps under a root of a ZooKeeper ensemble, from the format record to the
last slot and the last chunk of a checkpoint, and name each znode that cannot be trusted.

It changes nothing, and zkines may go on serving meanwhile. The exit code is 0 if all is sound, 1 if not.`

// newLogCommand builds `zkine log`, for people who look after a root.
func newLogCommand(environ []string) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "log",
		Short: "Look after the log in ZooKeeper",
		Args:  knownCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newVerifyCommand(environ))
	return cmd
}

// verifyConfig is what the verify command was told.
type verifyConfig struct {
	zookeeper []string
	root      string
	timeout   time.Duration
}

func (c *verifyConfig) bind(f *pflag.FlagSet) {
	f.SortFlags = false
	f.StringSliceVar(&c.zookeeper, "zookeeper", nil, "ZooKeeper servers, `host:port,...`")
	f.StringVar(&c.root, "zookeeper-root", "/zkine", "`znode` that holds everything")
	f.DurationVar(&c.timeout, "zookeeper-session-timeout", 10*time.Second, "how long ZooKeeper may be silent until the connection is given up")
}

func newVerifyCommand(environ []string) *cobra.Command {
	var cfg verifyConfig
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Check every byte that zkine keeps in ZooKeeper",
		Long:  verifyHelp,
		Args:  noArguments,
	}
	cfg.bind(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		// Variables of the server's other flags are none of this command's.
		if _, err := readEnv(cmd.Flags(), environ); err != nil {
			return err
		}
		if len(cfg.zookeeper) == 0 {
			return &problem{thing: "--zookeeper", what: "is needed", remedy: "name the ensemble's servers, host:port,...", usage: true}
		}
		servers, bad := tidyServers(cfg.zookeeper)
		if bad != nil {
			return &problem{thing: "--zookeeper", what: bad.what, remedy: bad.remedy, usage: true}
		}
		cfg.zookeeper = servers
		return verify(cmd, cfg)
	}
	return cmd
}

func verify(cmd *cobra.Command, cfg verifyConfig) error {
	log := newLogger(cmd.ErrOrStderr(), "warn", "text")
	ctx, stop := onSignals(log)
	defer stop()
	v, err := revision.Verify(ctx, revision.Config{
		Dialer: &revision.ZooKeeper{Servers: cfg.zookeeper, Timeout: cfg.timeout, MaxRequest: revision.DefaultMaxRequest, Log: log},
		Root:   cfg.root, Log: log,
	})
	if err != nil {
		return about("root "+cfg.root, err)
	}
	printVerified(cmd.OutOrStdout(), cfg.root, v)
	if n := len(v.Findings); n > 0 {
		return &problem{thing: "root " + cfg.root, what: fmt.Sprintf("%d of its znodes cannot be trusted", n),
			remedy: `see "corrupt" in docs/operations.md`}
	}
	return nil
}

func printVerified(w io.Writer, root string, v *revision.Verified) {
	fmt.Fprintf(w, "root %s, cluster %x\n", root, v.ClusterID)
	fmt.Fprintf(w, "log: %d segments, %d slots, %d requests, %d bytes\n", v.Segments, v.Slots, v.Requests, v.Bytes)
	if v.CheckpointSegment > 0 {
		fmt.Fprintf(w, "checkpoint: up to segment %d, %d bytes\n", v.CheckpointSegment, v.CheckpointBytes)
	}
	if v.Orphans > 0 {
		fmt.Fprintf(w, "%d staged parts that no slot names: harmless, swept in time\n", v.Orphans)
	}
	for _, f := range v.Findings {
		fmt.Fprintf(w, "%s: %s\n", f.Path, oneLine(f.Err.Error()))
	}
	if len(v.Findings) == 0 {
		fmt.Fprintln(w, "sound")
	}
}
