package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/zkine/zkine/backend/transfer"
	bars "github.com/zkine/zkine/cmd/zkine/progress"
)

const importHelp = `Move a store into ZooKeeper: its keys with their revisions, versions and history, leases, users and roles.

  zkine import --snapshot=backup.db --zookeeper=zk1:2181,zk2:2181,zk3:2181
  zkine import --endpoints=https://10.0.0.1:2379 --cacert=ca.pem --zookeeper=zk1:2181,zk2:2181,zk3:2181 --follow

A snapshot is a file that etcdctl snapshot save has written, or k3s. Its hash is checked, and it is only read. What it
says of the cluster that it is of is left out: alarms, members, version, downgrade.

A live etcd or kine is read by its API, at the revision that it has: history and passwords of users stay behind. With
--follow the root goes on to follow it, until SIGINT or SIGTERM; both sides are compared then.

There must be nothing under --zookeeper-root. Until all is written, read back and compared there is no root, and no
zkine serves it: a command that was cut off is started again, and goes on where it was.

Revisions are kept, so that clients go on where they were. If the source was written to after the snapshot, clients
have seen later revisions: raise it above them with --bump-revision=1000000000 --mark-compacted. Read
docs/migration.md first.`

// importOptions are the flags of `zkine import` beside those of `zkine log`.
type importOptions struct {
	snapshot  string
	skipHash  bool
	prefixes  []string
	dryRun    bool
	revisions revisionFlags
	live      liveFlags
}

// newImportCommand builds `zkine import`.
func newImportCommand(environ []string) *cobra.Command {
	i := new(importOptions)
	cmd := &cobra.Command{
		Use: "import", Short: "Move a store in: a snapshot of etcd's, a live etcd or kine", Long: importHelp,
		Annotations: map[string]string{makesLocal: ""},
	}
	f := cmd.Flags()
	f.StringVar(&i.snapshot, "snapshot", "", "the `file` that etcdctl snapshot save has written")
	f.BoolVar(&i.skipHash, "skip-hash-check", false, "take a snapshot without a hash at its end, such as a copy from an etcd's data folder")
	f.StringSliceVar(&i.prefixes, "prefix", nil, "only keys that begin with one of these `prefixes`, without their history")
	f.BoolVar(&i.dryRun, "dry-run", false, "read and check all, and write nothing")
	i.revisions.bind(f)
	i.live.bind(f)
	return completeLogCommand(environ, cmd, i.run, i.check)
}

func (i *importOptions) run(cmd *cobra.Command, o *logOptions) error {
	if len(i.live.client.endpoints) > 0 {
		return i.fromEndpoints(cmd, o)
	}
	t, err := beginTransfer(cmd, o, i.dryRun)
	if err != nil {
		return err
	}
	defer t.bar.Done()
	return i.fromSnapshot(cmd.Context(), t)
}

func (i *importOptions) check(v *checker) {
	live := len(i.live.client.endpoints) > 0
	switch {
	case i.snapshot == "" && !live:
		v.refuse("snapshot", "no source is named", "name the file that etcdctl snapshot save has written, or a live store with --endpoints")
	case i.snapshot != "" && live:
		v.refuse("snapshot", "there is one source at a time", "leave out --snapshot or --endpoints")
	case i.skipHash && live:
		v.refuse("skip-hash-check", "it is for snapshots", "leave it out")
	case i.live.follow && !live:
		v.refuse("follow", "it needs a live store", "name one with --endpoints")
	case i.live.follow && i.revisions != (revisionFlags{}):
		v.refuse("follow", "a store that is followed keeps its revisions", "leave out the flags for other revisions")
	case i.live.follow && i.dryRun:
		v.refuse("follow", "there is nothing to follow with --dry-run", "leave one of them out")
	}
	i.live.check(v)
	i.revisions.check(v)
}

func (i *importOptions) fromSnapshot(ctx context.Context, t *transferring) error {
	t.bar.Step("checking the file")
	s, err := transfer.OpenSnapshot(ctx, i.snapshot, transfer.SnapshotOptions{SkipHash: i.skipHash,
		Raised: i.revisions.bump > 0 || i.revisions.fresh || len(i.prefixes) > 0, Read: t.readTo(i.snapshot)})
	if errors.Is(err, fs.ErrNotExist) {
		return &problem{thing: i.snapshot, what: "there is no such file", remedy: "name what etcdctl snapshot save has written"}
	}
	if err != nil {
		return about(i.snapshot, err)
	}
	defer s.Close()
	c := s.Contents()
	t.foundSnapshot(i.snapshot, s)
	source := fmt.Sprintf("snapshot %s, sha256 %s", filepath.Base(i.snapshot), s.Sum)
	if len(i.prefixes) > 0 {
		if err := c.Only(ctx, i.prefixes...); err != nil {
			return about(i.snapshot, err)
		}
		if c.Count == 0 {
			return noKeys(i.snapshot)
		}
		source += fmt.Sprintf(", %q", i.prefixes)
		t.sayf("keys that begin with one of %q: %d", i.prefixes, c.Count)
	}
	if err := t.seed(ctx, source, c, &i.revisions); err != nil {
		return about(i.snapshot, err)
	}
	return nil
}

// noKeys is of a --prefix that is of nothing: a root without keys is no one's wish.
func noKeys(source string) error {
	return &problem{thing: "--prefix", what: "no key of " + source + " begins like that", remedy: "see how its keys begin: those of Kubernetes with /registry/"}
}

// readTo shows how much of a file was read.
func (t *transferring) readTo(path string) func(int64) {
	t.bar.Total(0, fileSize(path))
	last := int64(0)
	return func(bytes int64) {
		t.bar.Add(0, bytes-last)
		last = bytes
	}
}

// foundSnapshot says what a snapshot holds.
func (t *transferring) foundSnapshot(path string, s *transfer.Snapshot) {
	c := s.Contents()
	hash := "its sha256 is right"
	if !s.Hashed {
		hash = "its hash was not checked"
	}
	t.sayf("%s: %d bytes, %s", path, s.Size, hash)
	t.found(c, s.Versions())
	for _, what := range s.LeftOut {
		t.sayf("left out, since it is the old cluster's: %s", what)
	}
}

var _ transfer.Progress = (*transferProgress)(nil)

// transferProgress shows how far a Seed has come.
type transferProgress struct{ bar *bars.Bar }

// Wrote implements transfer.Progress.
func (p *transferProgress) Wrote(bytes int64) { p.bar.Add(0, bytes) }

// Verifying implements transfer.Progress.
func (p *transferProgress) Verifying(bytes int64) {
	p.bar.Step("reading it back")
	p.bar.Total(0, bytes)
}

// Verified implements transfer.Progress.
func (p *transferProgress) Verified(bytes int64) { p.bar.Add(0, bytes) }
