package main

import (
	"github.com/spf13/cobra"

	"github.com/zkine/zkine/cmd/zkine/etcdflags"
)

const serverHelp = `Serve etcd clients until SIGTERM or Ctrl-C.

With --zookeeper, the state is kept on that ensemble, under --zookeeper-root; zkines that share
both serve the same data. Without it, zkine starts a ZooKeeper of its own on this machine, keeps
its data in --data-dir, and stops it when it stops itself.

Each flag can be set as an environment variable as well, --max-txn-ops as ZKINE_MAX_TXN_OPS, and in
a YAML file that --config-file names. A flag wins over its variable, and that over the file.`

// newServerCommand builds `zkine server`.
func newServerCommand(environ []string) *cobra.Command {
	var cfg config
	cmd := &cobra.Command{
		Use:   "server",
		Short: "Serve etcd clients",
		Long:  serverHelp,
		Args:  noArguments,
	}
	cfg.bind(cmd.Flags())
	etcdflags.Bind(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		env, err := readEnv(cmd.Flags(), environ)
		if err != nil {
			return err
		}
		if err := mistyped(cmd.Flags(), env.unknown); err != nil {
			return err
		}
		if err := cfg.etcd.read(cmd.Flags(), env); err != nil {
			return err
		}
		if err := cfg.check(cmd.Flags(), env.from); err != nil {
			return err
		}
		status, _ := terminal(cmd.ErrOrStderr())
		log, err := cfg.logging.open(cmd.ErrOrStderr(), cmd.OutOrStdout(), status)
		if err != nil {
			return err
		}
		for _, name := range env.unknown {
			log.Warnf("%s is set, but zkine has no such setting; see zkine server --help", name)
		}
		cfg.etcd.warn(cmd.Flags(), environ, log)
		ctx, stop := onSignals(log)
		defer stop()
		return run(ctx, cfg, status, log)
	}
	return cmd
}
