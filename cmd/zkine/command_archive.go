package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/spf13/cobra"

	bars "github.com/zkine/zkine/cmd/zkine/progress"
	"github.com/zkine/zkine/revision/archive"
	"github.com/zkine/zkine/revision/archive/objectstore"
)

const archiveHelp = `Keep the log of a root, and its checkpoints, in a folder or an object store that speaks S3: what zkine restore
and zkine history read, to go back to any moment of it.

  zkine archive --zookeeper=zk1:2181 --to=file:///backup/zkine
  zkine archive --zookeeper=zk1:2181 --to='s3://bucket/prefix?endpoint=https://s3.example:9000'

It follows the root until it is told to stop, or with --once archives what there is. It can be ended at any time, and goes
on where it was. Where zkine server has --archive, that does the same, and trims its log once it is archived.`

// newArchiveCommand builds `zkine archive`.
func newArchiveCommand(environ []string) *cobra.Command {
	var flags archiveFlags
	var once bool
	cmd := &cobra.Command{Use: "archive", Short: "Keep the log outside of ZooKeeper", Long: archiveHelp}
	cmd.Flags().StringVar(&flags.location, "to", "", "where to keep it: a `URL` like file:///folder or s3://bucket/prefix?endpoint=https://host:port")
	flags.bind(cmd.Flags(), "")
	cmd.Flags().BoolVar(&once, "once", false, "archive what there is now, and end")
	cmd = completeLogCommand(environ, cmd, func(cmd *cobra.Command, o *logOptions) error {
		v := &checker{flags: cmd.Flags()}
		if flags.location == "" {
			v.refuse("to", "is needed", "write a URL like file:///folder")
		}
		flags.check(v, "to", "")
		if err := v.err(); err != nil {
			return err
		}
		return archiveRoot(cmd, o, flags, once)
	})
	cmd.AddCommand(newArchiveVerifyCommand(environ))
	return cmd
}

func archiveRoot(cmd *cobra.Command, o *logOptions, flags archiveFlags, once bool) error {
	cfg, err := flags.config()
	if err != nil {
		return about("--to", err)
	}
	root := o.logConfig()
	cfg.Dialer, cfg.Root, cfg.ClusterID, cfg.Log = root.Dialer, root.Root, root.ClusterID, newLogger(cmd.ErrOrStderr(), "info", "text")
	a := archive.New(cfg)
	defer a.Close()
	// The first round tells at once what cannot be.
	report, err := a.Round(cmd.Context())
	if err != nil {
		return archiveProblem(o.root, cfg.Store, err)
	}
	printReport(cmd.OutOrStdout(), cfg.Store, report)
	if once {
		return nil
	}
	a.Run(cmd.Context(), func() bool { return true })
	return nil
}

// archiveProblem says of what an error is: of the root or of the archive.
func archiveProblem(root string, store archive.Store, err error) error {
	for _, of := range []error{archive.ErrForeign, archive.ErrNewerFormat, archive.ErrCorrupt, archive.ErrDiverged, archive.ErrEmpty, archive.ErrHole} {
		if errors.Is(err, of) {
			return about("archive", err)
		}
	}
	p := about("root "+root+", archive in "+store.String(), err)
	if at := (*fs.PathError)(nil); p.remedy == "" && errors.As(err, &at) {
		p.remedy = "see that there is room, and that zkine may write there, or name another place with --to"
	}
	return p
}

func printReport(w io.Writer, store archive.Store, r archive.Report) {
	fmt.Fprintf(w, "%v, cluster %s: wrote %d slots and %d checkpoints in %d objects of %d bytes\n", store, r.Cluster, r.Slots, r.Checkpoints, r.Objects, r.Bytes)
	if r.Removed > 0 {
		fmt.Fprintf(w, "removed %d objects that are not to be kept any longer\n", r.Removed)
	}
	if r.Hole != nil {
		fmt.Fprintf(w, "hole: %s\n", oneLine(r.Hole.Error()))
	}
	fmt.Fprintf(w, "archived up to slot %v%s\n", r.At, written(r.Written))
}

func written(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return ", written " + at.Format(time.RFC3339)
}

const archiveVerifyHelp = `Read every object of an archive, compare it with its hash, and look whether anything is missing between them.

It changes nothing, and an archiver may go on. The exit code is 0 if all is sound, 1 if not.`

// newArchiveVerifyCommand builds `zkine archive verify`.
func newArchiveVerifyCommand(environ []string) *cobra.Command {
	var location, cluster string
	cmd := &cobra.Command{Use: "verify", Short: "Check every byte of an archive", Long: archiveVerifyHelp, Args: noArguments}
	cmd.Flags().StringVar(&location, "archive", "", "the archive's `URL`, or a file of zkine backup")
	cmd.Flags().StringVar(&cluster, "cluster-id", "", "the `id` of the only cluster to check; without it all are")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		env, err := readCommandEnv(cmd.Flags(), environ)
		if err != nil {
			return err
		}
		v := &checker{flags: cmd.Flags(), from: env.from}
		if location == "" {
			v.refuse("archive", "is needed", "write a URL like file:///folder")
			return v.err()
		}
		store, err := objectstore.Open(location, false)
		if err != nil {
			return about("--archive", err)
		}
		log := newLogger(cmd.ErrOrStderr(), "error", "text")
		defer stoppable(cmd, log)()
		return verifyArchive(cmd.Context(), cmd, store, cluster)
	}
	return cmd
}

func verifyArchive(ctx context.Context, cmd *cobra.Command, store archive.Store, cluster string) error {
	clusters, err := archive.Clusters(ctx, store)
	if err != nil {
		return notRead(err)
	}
	if cluster != "" || len(clusters) == 0 {
		clusters = []string{cluster}
	}
	findings := 0
	for _, name := range clusters {
		place, err := archive.OpenPlace(ctx, store, name)
		if err != nil {
			return notRead(err)
		}
		objects, bytes := place.Objects()
		bar := bars.New(cmd.ErrOrStderr(), "reading "+name)
		bar.Total(objects, bytes)
		v, err := place.Verify(ctx, bar.Add)
		bar.Done()
		if err != nil {
			return notRead(err)
		}
		printVerifiedArchive(cmd.OutOrStdout(), store, v)
		findings += len(v.Findings)
	}
	if findings > 0 {
		return &problem{thing: "archive", what: fmt.Sprintf("%d findings in %v", findings, store), remedy: `see "When an archive is damaged" in docs/recovery.md`}
	}
	return nil
}

func printVerifiedArchive(w io.Writer, store archive.Store, v *archive.Verified) {
	fmt.Fprintf(w, "%v, cluster %s: %d objects, %d bytes, %d slots, %d checkpoints\n", store, v.Cluster, v.Objects, v.Bytes, v.Slots, v.Checkpoints)
	if v.From == nil {
		fmt.Fprintln(w, "from the first slot there ever was")
	} else {
		fmt.Fprintf(w, "from revision %d%s\n", v.From.Revision, written(v.From.Time()))
	}
	fmt.Fprintf(w, "up to slot %v%s\n", v.To, written(v.Written))
	for _, f := range v.Findings {
		text := oneLine(f.Err.Error())
		if f.Object != "" && !strings.HasPrefix(text, f.Object) {
			text = f.Object + ": " + text
		}
		fmt.Fprintln(w, text)
	}
	if len(v.Findings) == 0 {
		fmt.Fprintln(w, "sound")
	}
}
