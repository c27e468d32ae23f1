package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zklog"
)

// newLogCommand builds `zkine log`, for the operators of a root.
func newLogCommand(environ []string) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "log",
		Short: "Look after the log in ZooKeeper",
		Args:  knownCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newVerifyCommand(environ), newAcceptCommand(environ))
	return cmd
}

// logRunner is what a command of `zkine log` does with a root.
type logRunner func(*cobra.Command, *logOptions) error

// completeLogCommand adds the flags of `zkine log` to a command, and what all of
// its commands do before their own work. The context of the command ends with a
// signal.
func completeLogCommand(environ []string, cmd *cobra.Command, do logRunner) *cobra.Command {
	o := new(logOptions)
	o.bind(cmd.Flags())
	cmd.Args = noArguments
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		// Variables of the server's other flags are none of this command's.
		env, err := readEnv(cmd.Flags(), environ)
		if err != nil {
			return err
		}
		if err := o.check(&checker{flags: cmd.Flags(), from: env.from}); err != nil {
			return err
		}
		// The error at the end says what the dialer would warn of again and again.
		o.log = newLogger(cmd.ErrOrStderr(), "error", "text")
		ctx, stop := onSignals(o.log)
		defer stop()
		cmd.SetContext(ctx)
		if len(o.zookeeper) == 0 {
			cfg, plan := sizeLocal(config{dataDir: o.dataDir, maxRequest: zklog.DefaultMaxRequest}, o.log)
			zooKeeper, err := startZooKeeper(ctx, cfg, plan, o.log)
			if err != nil {
				return err
			}
			defer stopZooKeeper(zooKeeper, o.log)
			o.zookeeper = []string{zooKeeper.Addr()}
		}
		return do(cmd, o)
	}
	return cmd
}

// logConfig is how the root is reached. Nothing is written through it but by the
// command's own calls.
func (o *logOptions) logConfig() zklog.Config {
	zookeeper := &zkclient.Ensemble{Servers: o.zookeeper, Timeout: o.sessionTimeout, MaxRequest: zklog.DefaultMaxRequest, Log: o.log}
	return zklog.Config{
		Dialer: timeoutDialer{Dialer: zookeeper, servers: o.zookeeper, timeout: o.timeout},
		Root:   o.root, ClusterID: uint64(o.cluster.id), Log: o.log,
	}
}

// timeoutDialer gives up after a while. A zkine that serves waits for ZooKeeper
// as long as it takes; a command does not.
type timeoutDialer struct {
	zkclient.Dialer
	servers []string
	timeout time.Duration
}

// Dial implements zkclient.Dialer.
func (d timeoutDialer) Dial(ctx context.Context) (zkclient.Conn, error) {
	within, cancel := context.WithTimeoutCause(ctx, d.timeout, fmt.Errorf("tried for %v", d.timeout))
	defer cancel()
	conn, err := d.Dialer.Dial(within)
	if err == nil || ctx.Err() != nil {
		return conn, err
	}
	return nil, &problem{thing: "ZooKeeper at " + strings.Join(d.servers, ","), what: oneLine(err.Error()),
		remedy: "check --zookeeper, or try for longer with --timeout"}
}
