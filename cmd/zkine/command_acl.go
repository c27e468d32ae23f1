package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path"
	"strings"

	"github.com/go-zookeeper/zk"
	"github.com/spf13/cobra"

	"github.com/zkine/zkine/revision/zkacl"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zkclient/identity"
	"github.com/zkine/zkine/revision/zkroot"
)

const aclHelp = `Look after who may touch the znodes that zkine keeps in ZooKeeper.

ACLs are not inherited: zkine gives each znode that it creates the ACL of --zookeeper-acl, and those that exist keep
theirs until they are given another one. Read "Who may touch the znodes" in docs/operations.md first.`

// newACLCommand builds `zkine acl`.
func newACLCommand(environ []string) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "acl",
		Short: "Look after who may touch the znodes in ZooKeeper",
		Long:  aclHelp,
		Args:  knownCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newApplyCommand(environ), newVerifyACLCommand(environ), newDigestCommand())
	return cmd
}

const applyHelp = `Give every znode under a root the ACL that --zookeeper-acl says, while zkines go on serving. The root's znode
comes last. What has the ACL is passed over: if this is interrupted, run it again.

Restart the zkines with the new --zookeeper-acl first, so that what they create has it. Nothing is changed as long as
one of them creates znodes with another ACL, or if the ACL would lock out the one who applies it.`

// aclOptions are the flags of `zkine acl` beside those of `zkine log`.
type aclOptions struct {
	dryRun, parents bool
	list            int
}

// newApplyCommand builds `zkine acl apply`.
func newApplyCommand(environ []string) *cobra.Command {
	var a aclOptions
	cmd := &cobra.Command{
		Use:   "apply",
		Short: "Give every znode under a root the ACL",
		Long:  applyHelp,
		// The way back to a release that serves only open ones.
		Annotations: map[string]string{opensLocal: ""},
	}
	cmd.Flags().BoolVar(&a.dryRun, "dry-run", false, "only print what would be changed")
	cmd.Flags().BoolVar(&a.parents, "parents", false, "then give the ACL to the znodes above the root as well, / included: for an ensemble that zkine has to itself")
	return completeLogCommand(environ, cmd, func(cmd *cobra.Command, o *logOptions) error {
		return onRoot(cmd, o, a.apply)
	})
}

const verifyACLHelp = `Compare the ACL of every znode under a root with what --zookeeper-acl says, and list those that differ: weaker
ones let someone do more, stronger ones less. What is above the root is told as well.

It changes nothing, but for an ephemeral znode by which it asks the server as whom it is known. The exit code is 0 if
all have the ACL, 1 if not.`

// newVerifyACLCommand builds `zkine acl verify`.
func newVerifyACLCommand(environ []string) *cobra.Command {
	var a aclOptions
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Compare the ACL of every znode under a root",
		Long:  verifyACLHelp,
	}
	cmd.Flags().IntVar(&a.list, "list", 100, "most `znodes` that are listed")
	return completeLogCommand(environ, cmd, func(cmd *cobra.Command, o *logOptions) error {
		if a.list < 0 || a.list > 1<<20 {
			return &problem{thing: "--list", what: fmt.Sprintf("%d is out of bounds", a.list), remedy: "choose from 0 to 1048576", usage: true}
		}
		return onRoot(cmd, o, a.verify)
	})
}

// aclWork is what a command does with a root, on one session.
type aclWork struct {
	*logOptions
	cmd    *cobra.Command
	conn   zkacl.Session
	layout zkroot.Layout
	wanted zkacl.List // expanded
}

// onRoot does something with a root, again on another session if one is lost.
func onRoot(cmd *cobra.Command, o *logOptions, do func(context.Context, *aclWork) error) error {
	ctx := cmd.Context()
	for {
		conn, err := o.logConfig().Dialer.Dial(ctx)
		if err != nil {
			return err
		}
		err = onSession(ctx, cmd, o, conn, do)
		conn.Close()
		if !lost(err) || ctx.Err() != nil {
			if err != nil {
				return about("root "+o.root, err)
			}
			return nil
		}
		fmt.Fprintln(cmd.ErrOrStderr(), "the connection to ZooKeeper was lost; going on with another one")
	}
}

// lost says whether a call failed since its session ended, in the words of the
// client, of its wrapper, or of the connection that a request could not be written to.
func lost(err error) bool {
	if unwritten := (*net.OpError)(nil); errors.As(err, &unwritten) {
		return true
	}
	return errors.Is(err, zkclient.ErrSessionOver) || errors.Is(err, zk.ErrConnectionClosed) || errors.Is(err, zk.ErrNoServer)
}

func onSession(ctx context.Context, cmd *cobra.Command, o *logOptions, conn zkclient.Conn, do func(context.Context, *aclWork) error) error {
	session, err := zkacl.SessionOf(conn)
	if err != nil {
		return err
	}
	w := &aclWork{logOptions: o, cmd: cmd, conn: session, layout: zkroot.Layout{Root: o.root}}
	if _, err := zkroot.NewReader(conn, w.layout).Look(ctx, zkroot.Wanted{Root: o.root, ClusterID: uint64(o.cluster.id)}); err != nil {
		return err
	}
	list := zkacl.List(o.secured.acl)
	if list == nil {
		list = zk.WorldACL(zk.PermAll)
	}
	// Before anything is changed, and before anything is compared: what locks out is
	// no ACL to compare with.
	if err := zkacl.Try(ctx, session, o.root, list); err != nil {
		return err
	}
	if w.wanted, err = zkacl.Expand(ctx, session, o.root, list); err != nil {
		return err
	}
	return do(ctx, w)
}

func (a *aclOptions) apply(ctx context.Context, w *aclWork) error {
	out := w.cmd.OutOrStdout()
	survey, err := w.survey(ctx, 0)
	if err != nil {
		return err
	}
	printSurvey(out, w.root, survey)
	if err := w.membersFollow(ctx); err != nil {
		return err
	}
	if a.dryRun {
		fmt.Fprintf(out, "dry run: nothing was changed; %d znodes would be\n", survey.Different)
		if a.parents {
			return w.previewParents(ctx, out)
		}
		return w.judgeParents(ctx, out)
	}
	done, err := w.apply(ctx, survey.Znodes)
	if done != nil {
		fmt.Fprintf(out, "changed %d znodes\n", done.Changed)
	}
	switch {
	case errors.Is(err, zkacl.ErrUnsettled):
		return &problem{thing: "root " + w.root, what: oneLine(err.Error()), remedy: "restart all zkines of the root with this --zookeeper-acl, then run this again"}
	case ctx.Err() != nil:
		return &problem{thing: "root " + w.root, what: "interrupted before all znodes have the ACL", remedy: "run this again to go on"}
	case err != nil:
		return err
	case done.Closed > 0:
		return &problem{thing: "root " + w.root, what: fmt.Sprintf("%d znodes may not be changed: %s", done.Closed, oneLine(done.FirstClosed.Error())),
			remedy: "run this with credentials that have the permission a there, too; zkine acl verify lists them"}
	}
	if a.parents {
		return w.applyToParents(ctx, out)
	}
	return w.judgeParents(ctx, out)
}

func (a *aclOptions) verify(ctx context.Context, w *aclWork) error {
	out := w.cmd.OutOrStdout()
	survey, err := w.survey(ctx, a.list)
	if err != nil {
		return err
	}
	printSurvey(out, w.root, survey)
	printFindings(out, survey)
	if err := w.judgeParents(ctx, out); err != nil {
		return err
	}
	if n := survey.Different + survey.Closed; n > 0 {
		return &problem{thing: "root " + w.root, what: fmt.Sprintf("%d of its znodes have another ACL", n), remedy: "run zkine acl apply with the same flags"}
	}
	return nil
}

// membersFollow refuses to go on while a zkine creates znodes with another ACL,
// which its member's znode tells: the ACL would lock it out, or never hold.
func (w *aclWork) membersFollow(ctx context.Context) error {
	names, err := w.conn.Children(ctx, w.layout.Members())
	if errors.Is(err, zk.ErrNoNode) {
		return nil
	}
	if err != nil {
		return err
	}
	var paths []string
	for _, name := range names {
		paths = append(paths, w.layout.Member(name))
	}
	members, err := zkacl.VerifySome(ctx, w.conn, w.root, paths, w.wanted)
	if err != nil {
		return err
	}
	if len(members.Findings) == 0 {
		return nil
	}
	first := members.Findings[0]
	what := "it may not be looked at"
	if first.Closed == nil {
		what = "it creates znodes with the ACL " + first.ACL.Brief()
	}
	return &problem{thing: "member " + path.Base(first.Path), what: what,
		remedy: "restart that zkine with --zookeeper-acl and credentials as here, or stop it, then run this again"}
}

// newDigestCommand builds `zkine acl digest`.
func newDigestCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "digest",
		Short: "Print what --zookeeper-acl says for a credential",
		Long: `Print an entry of --zookeeper-acl for each credential of an auth file, with all permissions.

The file, or what is written on the standard input, has a line like digest:user:password for each. A password on the
command line could be read by every user of the host, so there is none.`,
		Args: noArguments,
	}
	cmd.Flags().StringVar(&file, "zookeeper-auth-file", "", "`file` with credentials (default: the standard input)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if file != "" {
			credentials, err := identity.ReadCredentials(file)
			return printDigests(cmd.OutOrStdout(), credentials, err)
		}
		credentials, err := identity.ReadCredentialsFrom("the standard input", cmd.InOrStdin())
		return printDigests(cmd.OutOrStdout(), credentials, err)
	}
	return cmd
}

func printDigests(w io.Writer, credentials []identity.Credential, err error) error {
	if err != nil {
		return about("--zookeeper-auth-file", err)
	}
	for _, c := range credentials {
		user, password, _ := strings.Cut(string(c.Secret), ":")
		list := zkacl.List{{Scheme: c.Scheme, ID: user, Perms: zk.PermAll}}
		if c.Scheme == "digest" {
			list = zk.DigestACL(zk.PermAll, user, password)
		}
		fmt.Fprintln(w, list)
	}
	return nil
}
