package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/user"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zklog"
	"github.com/zkine/zkine/revision/zkroot"
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

// opensLocal annotates a command that takes --zookeeper-acl=open with --data-dir.
const opensLocal = "opens a local ZooKeeper"

// completeLogCommand adds the flags of `zkine log` to a command, and what all of
// its commands do before their own work. The context of the command ends with a
// signal.
func completeLogCommand(environ []string, cmd *cobra.Command, do logRunner) *cobra.Command {
	o := new(logOptions)
	o.bind(cmd.Flags())
	_, o.security.opensLocal = cmd.Annotations[opensLocal]
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
		if o.secured, err = o.security.load(o.log); err != nil {
			return err
		}
		if len(o.zookeeper) == 0 {
			cfg, plan := sizeLocal(config{dataDir: o.dataDir, maxRequest: zklog.DefaultMaxRequest}, o.log)
			zooKeeper, err := startZooKeeper(ctx, cfg, plan, o.log)
			if err != nil {
				return err
			}
			defer stopZooKeeper(zooKeeper, o.log)
			o.zookeeper, o.secured = []string{zooKeeper.Addr()}, superSecurity(zooKeeper)
			if o.security.acl != nil {
				o.secured.acl = o.security.acl
			}
		}
		return do(cmd, o)
	}
	return cmd
}

// logConfig is how the root is reached. Nothing is written through it but by the
// command's own calls.
func (o *logOptions) logConfig() zklog.Config {
	zookeeper := o.secured.secure(&zkclient.Ensemble{Servers: o.zookeeper, Timeout: o.sessionTimeout, MaxRequest: zklog.DefaultMaxRequest, Log: o.log})
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

const verifyHelp = `Read everything that zkine keeps under a root of a ZooKeeper ensemble, from the format record to the
last slot and the last chunk of a checkpoint, and name each znode that cannot be trusted.

It changes nothing, and zkines may go on serving. The exit code is 0 if all is sound, 1 if not.`

// newVerifyCommand builds `zkine log verify`.
func newVerifyCommand(environ []string) *cobra.Command {
	return completeLogCommand(environ, &cobra.Command{
		Use:   "verify",
		Short: "Check every byte that zkine keeps in ZooKeeper",
		Long:  verifyHelp,
	}, verifyLog)
}

func verifyLog(cmd *cobra.Command, o *logOptions) error {
	v, err := zklog.Verify(cmd.Context(), o.logConfig())
	if err != nil {
		return about("root "+o.root, err)
	}
	printVerified(cmd.OutOrStdout(), o.root, v)
	if n := len(v.Findings); n > 0 {
		return &problem{thing: "root " + o.root, what: fmt.Sprintf("%d of its znodes cannot be trusted", n),
			remedy: knownRemedy(v.Findings[0].Err)}
	}
	return nil
}

func printVerified(w io.Writer, root string, v *zkroot.Verified) {
	fmt.Fprintf(w, "root %s, cluster %x\n", root, v.ClusterID)
	fmt.Fprintf(w, "log: %d segments, %d slots, %d requests, %d bytes\n", v.Segments, v.Slots, v.Requests, v.Bytes)
	if v.CheckpointSegment > 0 {
		fmt.Fprintf(w, "checkpoint: up to segment %d, %d bytes\n", v.CheckpointSegment, v.CheckpointBytes)
	}
	if v.Orphans > 0 {
		fmt.Fprintf(w, "%d staged parts that no slot names: harmless, swept in time\n", v.Orphans)
	}
	printHalt(w, v.Halt)
	for _, f := range v.Findings {
		fmt.Fprintf(w, "%s: %s\n", f.Path, oneLine(f.Err.Error()))
	}
	if len(v.Findings) == 0 {
		fmt.Fprintln(w, "sound")
	}
}

const acceptHelp = `Decide that what a root holds now is to be served, although a zkine has served more than that: its log
went back, for example to an older backup of ZooKeeper. Read "The log went back" in docs/operations.md first: what is
missing may still be found, and clients that keep a cache have to be restarted afterwards.

Without --cluster-id it only shows what was seen and what the root holds. With it, the halt is taken away, and zkines
may start; those that remember more yield to the decision. Should the log go back again, they stop again.`

// newAcceptCommand builds `zkine log accept`.
func newAcceptCommand(environ []string) *cobra.Command {
	return completeLogCommand(environ, &cobra.Command{
		Use:   "accept",
		Short: "Have what the root holds served, though the log went back",
		Long:  acceptHelp,
	}, acceptLog)
}

func acceptLog(cmd *cobra.Command, o *logOptions) error {
	w := cmd.OutOrStdout()
	if o.cluster.id == 0 {
		h, err := zklog.Look(cmd.Context(), o.logConfig())
		if err != nil {
			return about("root "+o.root, err)
		}
		printHolding(w, o.root, h)
		return &problem{thing: "--cluster-id", what: "is needed to accept that", usage: true,
			remedy: fmt.Sprintf("if nothing better can be found, add --cluster-id=%v", h.ClusterID)}
	}
	h, err := zklog.Accept(cmd.Context(), o.logConfig(), operator())
	if err != nil {
		return about("root "+o.root, err)
	}
	printHolding(w, o.root, h)
	fmt.Fprintln(w, "accepted: start the zkines, then whatever keeps a cache of what they served")
	return nil
}

// operator names the person who decides, as far as the machine knows.
func operator() string {
	name := ""
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	host, _ := os.Hostname()
	return cmp.Or(name, "unknown") + "@" + cmp.Or(host, "unknown")
}

func printHolding(w io.Writer, root string, h *zkroot.Holding) {
	fmt.Fprintf(w, "root %s, cluster %v\n", root, h.ClusterID)
	printHalt(w, h.Halt)
	if h.Halt == nil {
		fmt.Fprintln(w, "not halted")
	}
	if a := h.Accepted; a != nil {
		fmt.Fprintf(w, "last accepted: at %s by %s\n", a.At.UTC().Format(time.RFC3339), a.By)
	}
	fmt.Fprintf(w, "holds: about revision %d, segment %s with %d slots, last written %s\n",
		h.Revision, h.Segment, h.Slots, h.Written.UTC().Format(time.RFC3339))
}

func printHalt(w io.Writer, h *zkroot.Halt) {
	if h == nil {
		return
	}
	fmt.Fprintf(w, "halted: at %s by %s on %s, which had served revision %d", h.At.UTC().Format(time.RFC3339), h.By, h.Host, h.Revision)
	if h.Segment != "" {
		fmt.Fprintf(w, " and seen slot %d of segment %s", h.Slot, h.Segment)
	}
	fmt.Fprintf(w, "\nit found: %s\n", oneLine(h.Found))
}
