package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/zkine/zkine/backend/etcddb"
	"github.com/zkine/zkine/backend/recovery"
	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/backend/transfer"
	bars "github.com/zkine/zkine/cmd/zkine/progress"
	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/archive"
	"github.com/zkine/zkine/revision/zkseed"
)

const restoreHelp = `Make a new root of what an archive, or a file of zkine backup, has of a cluster: as it was at its end, at a time or at
a revision. Read docs/recovery.md first.

  zkine restore --archive=file:///backup/zkine --to-time=2026-11-28T12:03:00Z --zookeeper=zk1:2181 --zookeeper-root=/zkine/prod-2
  zkine restore --archive=file:///backup/zkine --to-snapshot=prod.db

The root must be empty, and gets a cluster id of its own. Its revision is raised above all that was ever acknowledged, and
all below is compacted, so that no client goes on from what is not there any more; --bump-revision=0 keeps revisions
as they were. Users and roles are kept, the time of leases begins again, alarms are left out. All that was written is read
back and compared before the root exists. If this is interrupted, there is no root: run it again.`

// restoreOptions are the flags of `zkine restore` beside those of `zkine log`.
type restoreOptions struct {
	from       pastFlags
	toTime     string
	toRevision int64
	toSnapshot string
	bump       int64
	compacted  bool
	dryRun     bool

	until recovery.Until
}

// newRestoreCommand builds `zkine restore`.
func newRestoreCommand(environ []string) *cobra.Command {
	var r restoreOptions
	cmd := &cobra.Command{
		Use:         "restore",
		Short:       "Make a new root of an archive, as it was at a time",
		Long:        restoreHelp,
		Annotations: map[string]string{needsNoRoot: "to-snapshot", makesLocal: ""},
	}
	f := cmd.Flags()
	r.from.bind(f)
	f.StringVar(&r.toTime, "to-time", "", "up to this `time`, as 2026-11-28T12:03:00Z (default: to the end)")
	f.Int64Var(&r.toRevision, "to-revision", 0, "up to this `revision` (default: to the end)")
	f.StringVar(&r.toSnapshot, "to-snapshot", "", "write a snapshot to this `file`, for etcdutl snapshot restore, instead of a root")
	f.Int64Var(&r.bump, "bump-revision", transfer.SafeRaise, "by how much the revision is raised above the newest that the archive knows, of any cluster; 0 keeps it")
	f.BoolVar(&r.compacted, "mark-compacted", true, "mark all below the raised revision as compacted; needed with --bump-revision above 0")
	f.BoolVar(&r.dryRun, "dry-run", false, "only tell what would be restored")
	return completeLogCommand(environ, cmd, r.run)
}

func (r *restoreOptions) check(cmd *cobra.Command, o *logOptions) error {
	v := checker{flags: cmd.Flags()}
	r.from.check(&v)
	marked := cmd.Flags().Lookup("mark-compacted").Changed
	switch {
	case !r.from.named():
		v.refuse("archive", "is needed", "name an archive like file:///backup/zkine")
	case r.toTime != "" && r.toRevision != 0:
		v.refuse("to-revision", "it contradicts --to-time", "leave one of them out")
	case r.toSnapshot != "" && o.named():
		v.refuse("to-snapshot", "a root is named, too", "name one of both")
	case r.bump > 0 && !r.compacted:
		v.refuse("mark-compacted", "a raised revision has to be marked as compacted", "leave it out, or keep the revision with --bump-revision=0")
	case r.bump == 0 && r.compacted && marked:
		v.refuse("mark-compacted", "it needs a raised revision", "leave it out, or choose --bump-revision above 0")
	}
	v.between("bump-revision", r.bump, 0, 1<<50, plain)
	v.between("to-revision", r.toRevision, 0, int64(revision.MaxRev), plain)
	r.until.Revision = revision.Rev(r.toRevision)
	if r.toTime != "" {
		if r.until.Time = v.time("to-time", r.toTime); time.Now().Before(r.until.Time) {
			v.refuse("to-time", r.toTime+" is yet to come", "leave it out to restore all that there is")
		}
	}
	if r.toSnapshot != "" {
		if _, err := os.Lstat(r.toSnapshot); err == nil {
			v.refuse("to-snapshot", "there is a file "+r.toSnapshot, "choose another one, or remove it")
		}
	}
	return v.err()
}

func (r *restoreOptions) run(cmd *cobra.Command, o *logOptions) error {
	if err := r.check(cmd, o); err != nil {
		return err
	}
	ctx, w := cmd.Context(), cmd.OutOrStdout()
	if o.named() {
		if err := zkseed.Check(ctx, o.seedConfig()); err != nil {
			return about("root "+o.root, err)
		}
	}
	from, err := r.from.open(ctx)
	if err != nil {
		return err
	}
	bar := bars.New(cmd.ErrOrStderr(), "replaying")
	defer bar.Done()
	reached, newest, err := r.reach(ctx, from, bar)
	if err != nil {
		return about(from.String(), err)
	}
	raise := revision.Rev(0)
	if r.bump > 0 {
		// What was restored from this one before is higher, and clients have seen it.
		highest, err := archive.Highest(ctx, from.store)
		if err != nil {
			return about(from.String(), err)
		}
		raise = max(newest, reached.View.Rev(), highest) + revision.Rev(r.bump)
	}
	was := reached.View
	view, err := reached.Reopen(raise)
	if err != nil {
		return about(from.String(), err)
	}
	result := restored{from: from.String(), until: r.until, reached: reached, was: was, view: view}
	switch {
	case r.dryRun:
	case r.toSnapshot != "":
		bar.Step("writing the snapshot")
		result.snapshot = r.toSnapshot
		if result.saved, err = etcddb.Save(ctx, view, r.toSnapshot, o.log, nil, func(bytes int64) { bar.Add(0, bytes) }); err != nil {
			return fileProblem(r.toSnapshot, err)
		}
	default:
		if result.seeded, err = seedView(ctx, o, result.source(), view, bar); err != nil {
			return about("root "+o.root, err)
		}
	}
	bar.Done()
	result.print(w, o)
	return nil
}

// reach replays up to what is asked for, and finds out which revisions there were.
func (r *restoreOptions) reach(ctx context.Context, from *archivePast, bar *bars.Bar) (*recovery.Reached, revision.Rev, error) {
	reached, err := recovery.At(ctx, counted(from.open, bar), r.until)
	if err != nil {
		return nil, 0, err
	}
	if r.until == (recovery.Until{}) {
		return reached, reached.View.Rev(), nil
	}
	bar.Step("looking for the newest revision")
	newest, err := recovery.Newest(ctx, counted(from.open, bar))
	if err != nil && ctx.Err() != nil {
		return nil, 0, err
	}
	if err != nil { // what is wrong there is not needed, and the margin is far larger than what may be in it
		bar.Printf("what is archived after that cannot be read to its end, so that it is not known which revision was the newest: %s", oneLine(err.Error()))
	}
	return reached, newest, nil
}

// seedView writes a state to the root.
func seedView(ctx context.Context, o *logOptions, source string, view *state.View, bar *bars.Bar) (*transfer.Seeded, error) {
	s, err := transfer.OfView(view)
	if err != nil {
		return nil, err
	}
	bar.Step("writing")
	room := o.room(ctx)
	made, err := transfer.Seed(ctx, o.seedInto(room), source, s, &transferProgress{bar})
	if err != nil {
		return nil, room.problem(err)
	}
	if advice := room.advice(made.Stored); advice != "" {
		bar.Printf("%s", advice)
	}
	return made, nil
}

// seedConfig is where a root is to be made.
func (o *logOptions) seedConfig() zkseed.Config {
	cfg := o.logConfig()
	return zkseed.Config{Dialer: cfg.Dialer, Root: cfg.Root, By: operator(), Log: o.log}
}

// restored is what there is to tell.
type restored struct {
	from      string
	until     recovery.Until
	reached   *recovery.Reached
	was, view *state.View
	seeded    *transfer.Seeded
	snapshot  string
	saved     etcddb.Saved
}

// source names the state, the same each time.
func (r *restored) source() string {
	return fmt.Sprintf("%s, cluster %s, revision %d at %v as %d", r.from, clusterName(r.reached.ClusterID), r.was.Rev(), r.was.Seq(), r.view.Rev())
}

func (r *restored) print(w io.Writer, o *logOptions) {
	fmt.Fprintf(w, "cluster %s from %s, as it was at revision %d\n", clusterName(r.reached.ClusterID), r.from, r.was.Rev())
	r.printPlace(w)
	leases := 0
	for range r.view.Leases() {
		leases++
	}
	fmt.Fprintf(w, "%d keys, %d leases, whose time begins again; users and roles as they were; no alarms\n", r.view.NumKeys(), leases)
	if r.view.Rev() > r.was.Rev() {
		fmt.Fprintf(w, "the revision was raised to %d, and all below is compacted\n", r.view.Rev())
	}
	switch {
	case r.snapshot != "":
		fmt.Fprintf(w, "wrote %s: %d bytes, with its SHA-256 at the end; for etcdutl snapshot restore\n", r.snapshot, r.saved.Bytes)
	case r.seeded != nil:
		fmt.Fprintf(w, "root %s is made: cluster %v, hash %d, read back and compared\n", o.root, r.seeded.ClusterID, r.seeded.Hash)
		r.printRestarts(w)
	default:
		fmt.Fprintln(w, "nothing was written: --dry-run")
	}
}

// printPlace tells where that is in the log.
func (r *restored) printPlace(w io.Writer) {
	if last := r.reached.Last; last != nil {
		fmt.Fprintf(w, "the last batch in it: %v, %s\n", last.Seq, mark(last))
	}
	switch next := r.reached.Next; {
	case next != nil:
		fmt.Fprintf(w, "the next one, not in it: %v, %s\n", next.Seq, mark(next))
	case r.reached.Ends:
		fmt.Fprintln(w, "that is all there is: what was written later was not archived")
	}
	printLater(w, r.reached)
}

// printLater tells what a state at a time lacks because of clocks.
func printLater(w io.Writer, r *recovery.Reached) {
	if r.Later > 0 {
		fmt.Fprintf(w, "clocks differ: %d later batches say that they were written before that, the last of them %v; to have them, too, go to a revision\n",
			r.Later, r.LaterUpTo.Seq)
	}
}

func mark(m *recovery.Mark) string {
	at := "it is not known when"
	if !m.Time.IsZero() {
		at = "written at " + m.Time.UTC().Format("2006-01-02T15:04:05.000Z07:00")
	}
	return at + " by " + cmp.Or(m.Member, "an unknown member")
}

func (r *restored) printRestarts(w io.Writer) {
	fmt.Fprintf(w, `Now:
- start the zkines on the root, each once with --cluster-id=%v if it has served another cluster before
- stop the zkines of the old root, if any still run: what clients write there is not in the new one
`, r.seeded.ClusterID)
	if r.view.Rev() > r.was.Rev() {
		fmt.Fprintln(w, "- if clients have used another restore since, and that is not in this archive: run this again, with a larger --bump-revision")
		fmt.Fprint(w, `- API servers, controllers and other clients need no restart: their watches and lists are told that the revision was
  compacted, and they list again
- clients that log in have to log in again, and those that hold leases keep theirs if they renew them in time
`)
		return
	}
	fmt.Fprint(w, `- restart every API server, and whatever else keeps a cache or a revision: the revision went back, and a watch at a later
  one is silent until the store has got there, and then misses what was before
`)
}

// counted shows how far a past was read.
func counted(open recovery.Opener, bar *bars.Bar) recovery.Opener {
	return func(ctx context.Context, until recovery.Until) (*recovery.Past, error) {
		p, err := open(ctx, until)
		if err != nil {
			return nil, err
		}
		return p.Counted(func(keys, bytes int64) { bar.Add(keys, bytes) }), nil
	}
}
