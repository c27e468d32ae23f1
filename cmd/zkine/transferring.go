package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/backend/transfer"
	bars "github.com/zkine/zkine/cmd/zkine/progress"
	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zkseed"
)

// transferring is a transfer into an empty root under way: what all sources have in
// common.
type transferring struct {
	cmd    *cobra.Command
	o      *logOptions
	bar    *bars.Bar
	dryRun bool
	began  time.Time
	source error // of the source's keys
}

// beginTransfer refuses a root that is not empty, before anything is read. The caller
// ends the bar.
func beginTransfer(cmd *cobra.Command, o *logOptions, dryRun bool) (*transferring, error) {
	t := &transferring{cmd: cmd, o: o, dryRun: dryRun, began: time.Now()}
	if err := zkseed.Check(cmd.Context(), t.o.seedConfig()); err != nil {
		return nil, about("root "+o.root, err)
	}
	tuneGC()
	t.bar = bars.New(cmd.ErrOrStderr(), "beginning")
	return t, nil
}

// sayf writes a line of the summary.
func (t *transferring) sayf(format string, args ...any) {
	fmt.Fprintf(t.cmd.OutOrStdout(), format+"\n", args...)
}

// found says what a source holds; versions is of how many keys' versions.
func (t *transferring) found(c *transfer.Contents, versions int) {
	history := "nothing was compacted"
	if c.Compact >= 0 {
		history = fmt.Sprintf("compacted at %d", c.Compact)
	}
	t.sayf("revision %d, %s; %d versions of keys, %d bytes", c.Revision, history, versions, c.Bytes)
	access := "authentication is off"
	if c.AuthEnabled {
		access = "authentication is on"
	}
	t.sayf("%d leases, whose time begins again; %d users and %d roles, %s", len(c.Leases), len(c.Users), len(c.Roles), access)
}

// seed writes what a source holds to the root, with the revisions that were asked for,
// or only tries. source names the source: see transfer.Seed.
func (t *transferring) seed(ctx context.Context, source string, c *transfer.Contents, r *revisionFlags) error {
	was := c.Revision
	if err := r.apply(ctx, c); err != nil {
		return err
	}
	keys := c.Keys
	c.Keys = func(ctx context.Context) iter.Seq2[state.Version, error] { return t.counted(keys(ctx)) }
	s, err := c.State()
	if err != nil {
		return err
	}
	t.bar.Step("copying")
	t.bar.Total(c.Count, c.Bytes)
	shown := &transferProgress{t.bar}
	var made *transfer.Seeded
	room := room{}
	if t.dryRun {
		t.bar.Step("trying")
		made, err = transfer.Rehearse(ctx, s, shown)
	} else {
		room = t.o.room(ctx)
		made, err = transfer.Seed(ctx, t.o.seedInto(room), source+r.text(), s, shown)
	}
	if err != nil {
		return t.blame(ctx, room.problem(err))
	}
	t.bar.Done()
	t.told(made, s.Hash != nil)
	if advice := room.advice(made.Stored); !t.dryRun && advice != "" {
		t.sayf("%s", advice)
	}
	t.clients(was, made, r)
	return nil
}

// blame has the root named for an error that is not the source's.
func (t *transferring) blame(ctx context.Context, err error) error {
	if t.source != nil || t.dryRun || ctx.Err() != nil || errors.Is(err, transfer.ErrDiffers) || errors.Is(err, state.ErrBadCheckpoint) {
		return err
	}
	p := about("root "+t.o.root, err)
	if p.remedy == "" {
		p.remedy = fmt.Sprintf("see that ZooKeeper at %s serves and has room, and run this again: it goes on where it was", strings.Join(t.o.zookeeper, ","))
	}
	return p
}

// counted counts keys as they are taken.
func (t *transferring) counted(keys iter.Seq2[state.Version, error]) iter.Seq2[state.Version, error] {
	return func(yield func(state.Version, error) bool) {
		n := int64(0)
		for v, err := range keys {
			if n++; n%1024 == 0 {
				t.bar.Add(1024, 0)
			}
			t.source = err
			if !yield(v, err) {
				return
			}
		}
		t.bar.Add(n%1024, 0)
	}
}

// told says what was made.
func (t *transferring) told(made *transfer.Seeded, compared bool) {
	hash := fmt.Sprintf("HashKV is %d at revision %d", made.Hash, made.Revision)
	if compared {
		hash += ", as the source's"
	}
	took := time.Since(t.began).Round(10 * time.Millisecond)
	if t.dryRun {
		t.sayf("dry run: %d keys would be there, %s; nothing was written; took %v", made.Keys, hash, took)
		return
	}
	t.sayf("made root %s, cluster %v: %d keys, %d bytes in ZooKeeper", t.o.root, made.ClusterID, made.Keys, made.Stored)
	if made.Taken > 0 {
		t.sayf("%d bytes of that were there from an attempt before", made.Taken)
	}
	t.sayf("read back from ZooKeeper: %s; took %v", hash, took)
}

// clients says what becomes of clients of the source.
func (t *transferring) clients(was revision.Rev, made *transfer.Seeded, r *revisionFlags) {
	switch {
	case r.fresh && made.Compact < was:
		t.sayf("revisions are new, and lower than the source's (%d): restart all clients, a watch of theirs may be silent for good", was)
	case r.fresh:
		t.sayf("revisions are new, from %d down nothing can be read: restart kube-apiservers, and whatever else keeps revisions", made.Revision)
	case made.Revision > was:
		t.sayf("the revision was raised from %d to %d: watches of before are told that theirs is compacted, and begin again", was, made.Revision)
	default:
		t.sayf("revisions are the source's: clients go on where they were, unless it was written to since (see --bump-revision)")
	}
}

// apply gives the contents the revisions that were asked for.
func (r *revisionFlags) apply(ctx context.Context, c *transfer.Contents) error {
	floor := revision.Rev(r.floor)
	switch {
	case r.bump > 0:
		return c.Raise(r.bump)
	case r.fresh && floor == 0:
		return c.Fresh(ctx, c.Revision)
	case r.fresh:
		return c.Fresh(ctx, floor)
	case floor > c.Revision:
		return c.Raise(int64(floor - c.Revision))
	}
	return nil
}

// fileSize is a file's, for a progress bar; 0 if it is not known.
func fileSize(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}
