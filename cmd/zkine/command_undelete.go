package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/zkine/zkine/backend/etcdapi"
	"github.com/zkine/zkine/backend/recovery"
	"github.com/zkine/zkine/backend/undelete"
	bars "github.com/zkine/zkine/cmd/zkine/progress"
	"github.com/zkine/zkine/revision"
)

const undeleteHelp = `Write back what keys were at a time, or at a revision: as new revisions, through an endpoint, byte for byte. What is
there now with another value is left alone unless --overwrite is given, and nothing is deleted.

  zkine undelete --prefix=/registry/pods/shop/ --archive=file:///backup/zkine --at=2026-11-28T12:03:00Z --dry-run
  zkine undelete --prefix=/registry/pods/shop/ --revision=51342 --endpoints=https://127.0.0.1:2379 --cacert=ca.pem

The old values come from an archive, from the log under a root (--zookeeper), or, at a revision that is not compacted, from
the endpoint itself. Keys come back without a lease; --leases attaches them to the leases that they had. It may be ended
and run again at any time.`

// undeleteOptions are the flags of `zkine undelete` beside those of `zkine log`.
type undeleteOptions struct {
	client    clientFlags
	from      pastFlags
	prefix    string
	at        string
	revision  int64
	dryRun    bool
	overwrite bool
	leases    bool

	until recovery.Until
}

// newUndeleteCommand builds `zkine undelete`.
func newUndeleteCommand(environ []string) *cobra.Command {
	var u undeleteOptions
	cmd := &cobra.Command{
		Use:         "undelete",
		Short:       "Write back what keys were at a time",
		Long:        undeleteHelp,
		Annotations: map[string]string{needsNoRoot: never},
	}
	f := cmd.Flags()
	f.StringVar(&u.prefix, "prefix", "", "the keys that begin with this `text`")
	f.StringVar(&u.at, "at", "", "as they were at this `time`, as 2026-11-28T12:03:00Z")
	f.Int64Var(&u.revision, "revision", 0, "as they were at this `revision`")
	f.BoolVar(&u.dryRun, "dry-run", false, "only list what would be written")
	f.BoolVar(&u.overwrite, "overwrite", false, "write over keys that have another value now")
	f.BoolVar(&u.leases, "leases", false, "attach keys to the leases that they had, which are granted again if they are gone")
	u.from.bind(f)
	u.client.bind(f, "the store to write to (default: http://127.0.0.1:2379)")
	return completeLogCommand(environ, cmd, u.run)
}

func (u *undeleteOptions) check(cmd *cobra.Command, o *logOptions) error {
	v := checker{flags: cmd.Flags()}
	if len(u.client.endpoints) == 0 {
		u.client.endpoints = []string{"127.0.0.1:2379"}
	}
	u.client.check(&v)
	u.from.check(&v)
	switch {
	case u.prefix == "":
		v.refuse("prefix", "is needed", "name the keys to write back, as /registry/pods/shop/; a whole cluster is restored with zkine restore")
	case (u.at == "") == (u.revision == 0):
		v.refuse("at", "a time or a revision is needed, and one alone", "say --at=2026-11-28T12:03:00Z, or --revision")
	case u.from.named() && o.named():
		v.refuse("archive", "a root is named, too", "name one of both")
	case u.at != "" && !u.from.named() && !o.named():
		v.refuse("at", "an endpoint knows revisions, and no times", "name an archive with --archive, or the root with --zookeeper; or find the revision with zkine history, and say --revision")
	}
	v.between("revision", u.revision, 0, int64(revision.MaxRev), plain)
	u.until.Revision = revision.Rev(u.revision)
	if u.at != "" {
		if u.until.Time = v.time("at", u.at); time.Now().Before(u.until.Time) {
			v.refuse("at", u.at+" is yet to come", "choose a time before the keys were deleted")
		}
	}
	return v.err()
}

func (u *undeleteOptions) run(cmd *cobra.Command, o *logOptions) error {
	if err := u.check(cmd, o); err != nil {
		return err
	}
	client, err := u.client.connect(cmd.Context())
	if err != nil {
		return err
	}
	defer client.Close()
	switch {
	case u.from.named():
		from, err := u.from.open(cmd.Context())
		if err != nil {
			return err
		}
		return u.replayed(cmd, client, from.String(), from.open)
	case o.named():
		return onRootPast(cmd, o, func(open recovery.Opener) error { return u.replayed(cmd, client, "root "+o.root, open) })
	}
	source, err := u.source(cmd.Context(), client)
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "keys under %s as they were at revision %d\n", readable(u.prefix), u.revision)
	return u.write(cmd, client, source.Keys(cmd.Context(), u.revision), nil)
}

// replayed takes the old values from a past.
func (u *undeleteOptions) replayed(cmd *cobra.Command, client *clientv3.Client, from string, open recovery.Opener) error {
	bar := bars.New(cmd.ErrOrStderr(), "replaying")
	reached, err := recovery.At(cmd.Context(), counted(open, bar), u.until)
	bar.Done()
	if err != nil {
		return about(from, err)
	}
	w := cmd.OutOrStdout()
	fmt.Fprintf(w, "keys under %s from %s, as they were at revision %d\n", readable(u.prefix), from, reached.View.Rev())
	if last := reached.Last; last != nil {
		fmt.Fprintf(w, "the last batch before: %v, %s\n", last.Seq, mark(last))
	}
	printLater(w, reached)
	ttl := func(id int64) int64 {
		l, _ := reached.View.Lease(id)
		return l.TTL
	}
	return u.write(cmd, client, reached.View.Keys(u.prefix), ttl)
}

// source is the endpoint as it is read.
func (u *undeleteOptions) source(ctx context.Context, client *clientv3.Client) (*etcdapi.Source, error) {
	ctx, cancel := context.WithTimeout(ctx, u.client.dialTimeout)
	defer cancel()
	source, err := etcdapi.Connect(ctx, client, []string{u.prefix})
	if err != nil {
		return nil, u.client.unreachable(err)
	}
	return source, nil
}

func (u *undeleteOptions) write(cmd *cobra.Command, client *clientv3.Client, then undelete.Keys, ttl func(int64) int64) error {
	ctx := cmd.Context()
	now, err := u.source(ctx, client)
	if err != nil {
		return err
	}
	rev, err := now.Current(ctx)
	if err != nil {
		return about(u.client.name(), err)
	}
	out := undeletePrinter{w: cmd.OutOrStdout(), dryRun: u.dryRun}
	sum, err := undelete.Run(ctx, &undelete.Config{
		Client: client, Then: then, Now: now.Keys(ctx, rev),
		DryRun: u.dryRun, Overwrite: u.overwrite, Leases: u.leases, TTL: ttl, Tell: out.print,
	})
	if err == nil || sum != (undelete.Summary{}) {
		u.summary(out.w, sum)
	}
	switch {
	case errors.Is(err, etcdapi.ErrFuture):
		return &problem{thing: u.client.name(), what: oneLine(err.Error()), remedy: "find the revision with zkine history"}
	case errors.Is(err, etcdapi.ErrCompacted):
		return &problem{thing: u.client.name(), what: "the revision is compacted there", remedy: "name what still has it with --archive, or with --zookeeper"}
	case err != nil && u.dryRun:
		return about(u.client.name(), err)
	case err != nil:
		return &problem{thing: u.client.name(), what: oneLine(err.Error()), remedy: fmt.Sprintf("%d keys were written back; run it again to go on", sum.Written)}
	case sum.Raced > 0:
		return &problem{thing: u.client.name(), what: fmt.Sprintf("%d keys were changed in the meantime, and left alone", sum.Raced), remedy: "look at them, and run it again"}
	}
	return nil
}

func (u *undeleteOptions) summary(w io.Writer, s undelete.Summary) {
	fmt.Fprintln(w, s)
	switch {
	case u.dryRun && s.Differ > 0 && !u.overwrite:
		fmt.Fprintf(w, "%d would be written back, nothing was: --dry-run; --overwrite would write the others, too\n", s.Missing)
	case u.dryRun && u.overwrite:
		fmt.Fprintf(w, "%d would be written back, nothing was: --dry-run\n", s.Missing+s.Differ)
	case u.dryRun:
		fmt.Fprintf(w, "%d would be written back, nothing was: --dry-run\n", s.Missing)
	default:
		fmt.Fprintf(w, "%d were written back, %d bytes\n", s.Written, s.Bytes)
		if left := s.Differ; left > 0 && !u.overwrite {
			fmt.Fprintf(w, "%d that have another value now were left alone: --overwrite writes over them\n", left)
		}
	}
	if s.Leased > 0 && !u.leases {
		fmt.Fprintf(w, "%d of them had a lease, and have none now, so that they stay: --leases attaches them\n", s.Leased)
	} else if s.Leaseless > 0 {
		fmt.Fprintf(w, "%d of them had a lease that is gone and of which it is not known how long it was: they stay\n", s.Leaseless)
	}
}

// undeletePrinter lists keys.
type undeletePrinter struct {
	w       io.Writer
	dryRun  bool
	started bool
}

const undeleteRow = "%-9s %-12s %-12s %10s %-16s %s\n"

func (p *undeletePrinter) print(i *undelete.Item) {
	if !p.started {
		p.started = true
		fmt.Fprintf(p.w, undeleteRow, "STATE", "REVISION", "WRITTEN", "BYTES", "LEASE", "KEY")
	}
	written, lease := "-", "-"
	switch {
	case i.Written > 0:
		written = strconv.FormatInt(i.Written, 10)
	case i.Raced:
		written = "changed"
	}
	if i.Lease != 0 {
		lease = strconv.FormatInt(i.Lease, 16)
	}
	fmt.Fprintf(p.w, undeleteRow, i.State, strconv.FormatInt(i.Revision, 10), written, strconv.Itoa(i.Bytes), lease, readable(i.Key))
}
