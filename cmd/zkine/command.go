package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

const rootHelp = `zkine serves the etcd v3 API and keeps its state in Apache ZooKeeper.

To try it, with nothing but a Java runtime and ZooKeeper's jars installed:

  zkine server
  etcdctl --endpoints=http://127.0.0.1:2379 put hello world

On a ZooKeeper ensemble; start as many of these as you like:

  zkine server --zookeeper=zk1:2181,zk2:2181,zk3:2181`

const serverHelp = `Serve etcd clients until SIGTERM or Ctrl-C.

With --zookeeper, the state is kept on that ensemble, under --zookeeper-root; zkines that share
both serve the same data. Without it, zkine starts a ZooKeeper of its own on this machine, keeps
its data in --data-dir, and stops it when it stops itself.

Each flag can be set as an environment variable as well: --max-txn-ops as ZKINE_MAX_TXN_OPS. A flag
wins over its variable.`

// newRootCommand builds the command line. environ holds "NAME=value" strings.
func newRootCommand(environ []string) *cobra.Command {
	root := &cobra.Command{
		Use:           "zkine",
		Short:         "The etcd API on ZooKeeper",
		Long:          rootHelp,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          knownCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return flagProblem(err) })
	root.AddCommand(newServerCommand(environ), newLogCommand(environ), newVersionCommand())
	return root
}

func knownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	remedy := "see zkine --help"
	cmd.SuggestionsMinimumDistance = 2
	if close := cmd.SuggestionsFor(args[0]); len(close) > 0 {
		remedy = "did you mean " + cmd.CommandPath() + " " + strings.Join(close, " or "+cmd.CommandPath()+" ") + "?"
	}
	return &problem{thing: args[0], what: "no such command", remedy: remedy, usage: true}
}

func noArguments(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return &problem{
		thing: args[0], what: "an argument that belongs to no flag",
		remedy: "separate the values of a flag with commas; see --help", usage: true,
	}
}

func newServerCommand(environ []string) *cobra.Command {
	var cfg config
	cmd := &cobra.Command{
		Use:   "server",
		Short: "Serve etcd clients",
		Long:  serverHelp,
		Args:  noArguments,
	}
	cfg.bind(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		env, err := readEnv(cmd.Flags(), environ)
		if err != nil {
			return err
		}
		if err := mistyped(cmd.Flags(), env.unknown); err != nil {
			return err
		}
		if err := cfg.check(cmd.Flags(), env.from); err != nil {
			return err
		}
		out := cmd.ErrOrStderr()
		status, terminal := terminal(out)
		if terminal {
			out = status
		}
		log := newLogger(out, cfg.logLevel, cfg.logFormat)
		for _, name := range env.unknown {
			log.Warnf("%s is set, but zkine has no such setting; see zkine server --help", name)
		}
		ctx, stop := onSignals(log)
		defer stop()
		return run(ctx, cfg, status, log)
	}
	return cmd
}

func newVersionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprint(cmd.OutOrStdout(), versionText())
			return err
		},
	}
}
