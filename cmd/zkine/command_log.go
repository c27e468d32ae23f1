package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/zkine/zkine/backend/transfer"
	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/embedded"
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
	cmd.AddCommand(newLogPrintCommand(environ), newVerifyCommand(environ), newAcceptCommand(environ))
	return cmd
}

// logRunner is what a command of `zkine log` does with a root.
type logRunner func(*cobra.Command, *logOptions) error

// Annotations of commands that have the flags of `zkine log`.
const (
	// opensLocal: it takes --zookeeper-acl=open with --data-dir.
	opensLocal = "opens a local ZooKeeper"
	// makesLocal: it makes a local ZooKeeper in --data-dir, if there is none.
	makesLocal = "makes a local ZooKeeper"
	// needsNoRoot: it needs no root if one of these flags is set, which are named with
	// spaces between; or never does.
	needsNoRoot = "needs no root"
	never       = "-"
	// looksAtRunning: with --data-dir it takes a local ZooKeeper that runs as it is.
	looksAtRunning = "looks at a running local ZooKeeper"
)

// completeLogCommand adds the flags of `zkine log` to a command, and what all of
// its commands do before their own work. The context of the command ends with a
// signal. checks are those of the command's own flags.
func completeLogCommand(environ []string, cmd *cobra.Command, do logRunner, checks ...func(*checker)) *cobra.Command {
	o := new(logOptions)
	o.bind(cmd.Flags())
	_, o.security.opensLocal = cmd.Annotations[opensLocal]
	_, o.makesLocal = cmd.Annotations[makesLocal]
	cmd.Args = noArguments
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		// Variables of the server's other flags are none of this command's.
		env, err := readCommandEnv(cmd.Flags(), environ)
		if err != nil {
			return err
		}
		for flag := range strings.FieldsSeq(cmd.Annotations[needsNoRoot]) {
			o.optional = o.optional || flag == never || cmd.Flags().Lookup(flag).Value.String() != ""
		}
		v := &checker{flags: cmd.Flags(), from: env.from}
		for _, check := range checks {
			check(v)
		}
		if err := o.check(v); err != nil {
			return err
		}
		// The error at the end says what the dialer would warn of again and again.
		o.log = newLogger(cmd.ErrOrStderr(), "error", "text")
		defer stoppable(cmd, o.log)()
		ctx := cmd.Context()
		if o.secured, err = o.security.load(o.log); err != nil {
			return err
		}
		if len(o.zookeeper) == 0 && o.dataDir != "" {
			_, looks := cmd.Annotations[looksAtRunning]
			stop, err := o.openLocal(ctx, looks)
			if err != nil {
				return err
			}
			defer stop()
		}
		return do(cmd, o)
	}
	return cmd
}

// openLocal starts the local ZooKeeper, until stop is called; or, for a command that
// only looks, takes the one that runs there.
func (o *logOptions) openLocal(ctx context.Context, looks bool) (stop func(), err error) {
	o.local = true
	cfg, plan := sizeLocal(config{dataDir: o.dataDir, maxRequest: zklog.DefaultMaxRequest}, o.log)
	zooKeeper, err := startZooKeeper(ctx, cfg, plan, o.log)
	if looks && errors.Is(err, embedded.ErrInUse) {
		running, err := embedded.Running(o.dataDir)
		if err != nil {
			return nil, about("local ZooKeeper", err)
		}
		o.zookeeper, o.secured = []string{running.Addr()}, runningSecurity(running)
		return func() {}, nil
	}
	if err != nil {
		return nil, err
	}
	o.zookeeper, o.secured = []string{zooKeeper.Addr()}, superSecurity(zooKeeper)
	if o.security.acl != nil {
		o.secured.acl = o.security.acl
	}
	return func() { stopZooKeeper(zooKeeper, o.log) }, nil
}

// logConfig is how the root is reached. Nothing is written through it but by the
// command's own calls.
func (o *logOptions) logConfig() zklog.Config {
	return zklog.Config{
		Dialer: timeoutDialer{Dialer: o.ensemble(), servers: o.zookeeper, timeout: o.timeout},
		Root:   o.root, ClusterID: uint64(o.cluster.id), Log: o.log,
	}
}

func (o *logOptions) ensemble() *zkclient.Ensemble {
	return o.secured.secure(&zkclient.Ensemble{Servers: o.zookeeper, Timeout: o.sessionTimeout, MaxRequest: zklog.DefaultMaxRequest, Log: o.log})
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
may start; those that remember more yield to the decision. Should the log go back again, they stop again.

The revision is raised far above all that was served, and what is below is compacted, as etcdutl snapshot restore does
with --bump-revision and --mark-compacted: clients are told that what they remember is no part of this history, and
read again. --bump-revision=0 leaves that out, and the revision counts on from where the log went back to.`

// newAcceptCommand builds `zkine log accept`.
func newAcceptCommand(environ []string) *cobra.Command {
	bump := int64(0)
	cmd := &cobra.Command{
		Use:   "accept",
		Short: "Have what the root holds served, though the log went back",
		Long:  acceptHelp,
	}
	cmd.Flags().Int64Var(&bump, "bump-revision", transfer.SafeRaise, "raise the revision to `N` above what was served, and compact all below; 0 to go on where it is")
	return completeLogCommand(environ, cmd, func(cmd *cobra.Command, o *logOptions) error { return acceptLog(cmd, o, revision.Rev(bump)) },
		func(v *checker) { v.between("bump-revision", bump, 0, maxBump, plain) })
}

// maxBump bounds by how much a revision is raised at a time.
const maxBump = 1 << 59

func acceptLog(cmd *cobra.Command, o *logOptions, bump revision.Rev) error {
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
	h, err := zklog.Accept(cmd.Context(), o.logConfig(), zkroot.Decision{By: operator(), Raise: bump})
	if err != nil {
		return about("root "+o.root, err)
	}
	printHolding(w, o.root, h)
	if to := h.Decided.RaisedTo; to > 0 {
		fmt.Fprintf(w, "accepted: the revision goes on from %d, and watches of before are told so; start the zkines\n", to)
		return nil
	}
	fmt.Fprintln(w, "accepted: start the zkines, then restart whatever keeps a cache of what they served")
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
