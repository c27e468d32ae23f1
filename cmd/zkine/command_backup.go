package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	bars "github.com/zkine/zkine/cmd/zkine/progress"
	"github.com/zkine/zkine/revision/archive"
	"github.com/zkine/zkine/revision/archive/objectstore"
)

const backupHelp = `Write what a root holds to one file: its checkpoints and the log after them, up to this moment, each part with a hash.
zkines may go on serving. Such a file is an archive: zkine restore, zkine history and zkine undelete read it, to go back to
any moment that the root still knew, and zkine archive verify checks it.

  zkine backup --zookeeper=zk1:2181 --zookeeper-root=/zkine/prod prod.zkine
  zkine restore --archive=./prod.zkine --zookeeper=zk1:2181 --zookeeper-root=/zkine/prod-2

All that was acknowledged before it began is in it. The file is there whole or not at all, after it was read back.`

// newBackupCommand builds `zkine backup`.
func newBackupCommand(environ []string) *cobra.Command {
	var path string
	cmd := &cobra.Command{Use: "backup FILE", Short: "Write what a root holds to one file", Long: backupHelp}
	cmd = completeLogCommand(environ, cmd, func(cmd *cobra.Command, o *logOptions) error { return backupRoot(cmd, o, path) })
	cmd.Args = func(_ *cobra.Command, args []string) error {
		if len(args) != 1 || args[0] == "" {
			return &problem{thing: "FILE", what: "one is needed", remedy: "name the file to write, as prod.zkine", usage: true}
		}
		path = args[0]
		return nil
	}
	return cmd
}

func backupRoot(cmd *cobra.Command, o *logOptions, path string) error {
	ctx, w := cmd.Context(), cmd.OutOrStdout()
	file, err := objectstore.CreateFile(path)
	if errors.Is(err, fs.ErrExist) {
		return &problem{thing: path, what: "there is such a file", remedy: "name another one, or remove it"}
	}
	if err != nil {
		return fileProblem(path, err)
	}
	defer file.Discard()
	bar := bars.New(cmd.ErrOrStderr(), "reading the root")
	defer bar.Done()
	root := o.logConfig()
	a := archive.New(archive.Config{Dialer: root.Dialer, Root: root.Root, ClusterID: root.ClusterID, Store: file, Log: o.log})
	defer a.Close()
	report, err := a.Round(ctx)
	if at := (*fs.PathError)(nil); errors.As(err, &at) && filepath.Dir(at.Path) == filepath.Dir(path) {
		return fileProblem(path, err)
	}
	if err != nil {
		return about("root "+o.root, err)
	}
	bar.Step("reading the file back")
	place, err := archive.OpenPlace(ctx, file, report.Cluster)
	if err != nil {
		return about(path, err)
	}
	verified, err := place.Verify(ctx, func(_, bytes int64) { bar.Add(0, bytes) })
	if err == nil && len(verified.Findings) > 0 {
		err = verified.Findings[0].Err
	}
	if err == nil {
		err = file.Commit()
	}
	if err != nil {
		return fileProblem(path, err)
	}
	bar.Done()
	info, err := os.Stat(path)
	if err != nil {
		return about(path, err)
	}
	whole, err := filepath.Abs(path) // a name alone is no --archive
	if err != nil {
		return about(path, err)
	}
	fmt.Fprintf(w, "wrote %s: %d bytes, read back and right\n", path, info.Size())
	fmt.Fprintf(w, "cluster %s, up to slot %v%s\n", report.Cluster, report.At, writtenAt(report.Written))
	fmt.Fprintf(w, "%d checkpoints and %d slots; restore it with: zkine restore --archive=%s\n", verified.Checkpoints, verified.Slots, whole)
	return nil
}

func writtenAt(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return ", written at " + at.UTC().Format(time.RFC3339)
}
