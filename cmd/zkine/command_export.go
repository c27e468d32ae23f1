package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/zkine/zkine/backend/etcdapi"
	"github.com/zkine/zkine/backend/etcddb"
	"github.com/zkine/zkine/backend/mirror"
	"github.com/zkine/zkine/backend/state"
	bars "github.com/zkine/zkine/cmd/zkine/progress"
	"github.com/zkine/zkine/revision/bytesize"
	"github.com/zkine/zkine/revision/zklog"
)

const exportHelp = `Take all that a root holds out of ZooKeeper: into a snapshot file, which etcdutl snapshot restore makes an
etcd of, with revisions, history, leases, users and roles; or into a live etcd that is empty, by its API, which has
revisions of its own.

The root is only read, at the revision that it has when the command begins; zkines may go on serving. What was
interrupted is begun again by the same command: an etcd that holds the first part of the same keys is filled up. See
docs/migration.md.`

// exportOptions are the flags of `zkine export` beside those of `zkine log`.
type exportOptions struct {
	snapshot string
	prefixes []string
	dryRun   bool
	client   clientFlags
}

// newExportCommand builds `zkine export`.
func newExportCommand(environ []string) *cobra.Command {
	var x exportOptions
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Take all that a root holds to a snapshot file or an etcd",
		Long:  exportHelp,
	}
	f := cmd.Flags()
	f.StringVar(&x.snapshot, "snapshot", "", "`file` to write, which must not exist")
	x.client.bind(f, "an empty etcd to fill")
	f.StringSliceVar(&x.prefixes, "prefix", nil, "`prefixes` of the keys that go to the endpoints (default: all)")
	f.BoolVar(&x.dryRun, "dry-run", false, "only say what there is, and whether the target could take it")
	return completeLogCommand(environ, cmd, x.run, x.check)
}

func (x *exportOptions) check(v *checker) {
	x.client.check(v)
	switch {
	case x.snapshot != "" && len(x.client.endpoints) > 0:
		v.refuse("snapshot", "there is one target at a time", "leave out --snapshot or --endpoints")
	case x.snapshot == "" && len(x.client.endpoints) == 0:
		v.refuse("snapshot", "no target is named", "name a file, or an empty etcd with --endpoints")
	case x.snapshot != "" && len(x.prefixes) > 0:
		v.refuse("prefix", "a snapshot holds all keys", "leave it out, or export to --endpoints")
	}
}

func (x *exportOptions) run(cmd *cobra.Command, o *logOptions) error {
	ctx := cmd.Context()
	log, err := openExisting(ctx, o)
	if err != nil {
		return err
	}
	defer log.Close()
	bar := bars.New(cmd.ErrOrStderr(), "reading the root")
	defer bar.Done()
	root, err := mirror.Load(ctx, log)
	if err != nil {
		return about("root "+o.root, err)
	}
	v := root.View()
	w := cmd.OutOrStdout()
	if x.snapshot != "" {
		return x.save(ctx, w, bar, v, o)
	}
	return x.fill(ctx, w, bar, v)
}

// openExisting opens the log of a root that must be there: to open one makes it.
func openExisting(ctx context.Context, o *logOptions) (*zklog.Log, error) {
	if _, err := zklog.Look(ctx, o.logConfig()); err != nil {
		return nil, about("root "+o.root, err)
	}
	log, err := zklog.Open(ctx, o.logConfig())
	if err != nil {
		return nil, about("root "+o.root, err)
	}
	return log, nil
}

func (x *exportOptions) save(ctx context.Context, w io.Writer, bar *bars.Bar, v *state.View, o *logOptions) error {
	// The database is made beside the file, and there until that is whole.
	room := fmt.Sprintf("at least %s of room in %s until it is there, twice its own size", bytesize.Text(2*v.LiveBytes()), filepath.Dir(x.snapshot))
	if x.dryRun {
		bar.Done()
		fmt.Fprintf(w, "would write %s: %s\nit takes %s\n", x.snapshot, held(v), room)
		return nil
	}
	bar.Step("writing " + x.snapshot + ", which takes " + room)
	began := func(bytes int64) { bar.Total(int64(v.NumKeys()), bytes); bar.Add(int64(v.NumKeys()), 0) }
	saved, err := etcddb.Save(ctx, v, x.snapshot, o.log, began, func(bytes int64) { bar.Add(0, bytes) })
	if errors.Is(err, os.ErrExist) {
		return &problem{thing: x.snapshot, what: "there is such a file already", remedy: "name another one with --snapshot"}
	}
	if full := syscall.Errno(0); errors.As(err, &full) && (full == syscall.ENOSPC || full == syscall.EDQUOT) {
		return &problem{thing: x.snapshot, what: "it cannot be written: " + full.Error(), remedy: "make room there, or name a file elsewhere: it takes " + room}
	}
	if err != nil {
		return fileProblem(x.snapshot, err)
	}
	hash, err := v.HashKV(0)
	if err != nil {
		return about("root "+o.root, err)
	}
	bar.Done()
	fmt.Fprintf(w, "wrote %s: %s\n%s, sha256 %x, read back and right\n", x.snapshot, held(v), bytesize.Text(saved.Bytes), saved.Sum)
	fmt.Fprintf(w, "hash of the keys at revision %d, as etcd's HashKV: %d\n", v.Rev(), hash.Hash)
	fmt.Fprintf(w, "restore it with: etcdutl snapshot restore %s --data-dir=FOLDER\n", x.snapshot)
	return nil
}

// held says what a view holds.
func held(v *state.View) string {
	leases, users := 0, 0
	for range v.Leases() {
		leases++
	}
	for range v.Users() {
		users++
	}
	return fmt.Sprintf("%d keys at revision %d, history from revision %d on, %d leases, %d users", v.NumKeys(), v.Rev(), max(v.CompactRev(), 1), leases, users)
}

func (x *exportOptions) fill(ctx context.Context, w io.Writer, bar *bars.Bar, v *state.View) error {
	client, err := x.client.connect(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	dialing, cancel := context.WithTimeout(ctx, x.client.dialTimeout)
	sink, err := etcdapi.OpenSink(dialing, client)
	cancel()
	if err != nil {
		return x.client.unreachable(err)
	}
	contents, size, err := x.contents(v)
	if err != nil {
		return err
	}
	keys, bytes := size.keys, size.bytes
	if x.dryRun {
		if err := sink.Check(ctx, contents); err != nil {
			return x.refused(err)
		}
		bar.Done()
		fmt.Fprintf(w, "would write %d keys, %s, %d leases, %d users to %s\n", keys, bytesize.Text(bytes), len(contents.Leases), len(contents.Access.Users), x.client.name())
		return nil
	}
	bar.Step("writing to " + x.client.name())
	bar.Total(keys, bytes)
	if err := sink.Fill(ctx, contents, bar.Add); err != nil {
		return x.refused(err)
	}
	bar.Step("verifying " + x.client.name())
	bar.Total(keys, bytes)
	digest, err := sink.Verify(ctx, contents, bar.Add)
	if err != nil {
		return x.refused(err)
	}
	bar.Done()
	fmt.Fprintf(w, "wrote %d keys, %s, %d leases, %d users\nkeys, values and leases are the same on both sides, hash %.16s\n", keys, bytesize.Text(bytes), len(contents.Leases), len(contents.Access.Users), digest)
	rev, err := sink.Current(ctx)
	if err != nil {
		return x.refused(err)
	}
	if contents.Access.Enabled {
		if err := sink.Enable(ctx); err != nil {
			return x.refused(err)
		}
		fmt.Fprintln(w, "users count from now on")
	}
	return sayRevisions(w, v, rev)
}

// sayRevisions says what the API cannot carry.
func sayRevisions(w io.Writer, v *state.View, rev int64) error {
	_, err := fmt.Fprintf(w, "revisions and versions are the target's own: it is at revision %d, the root at %d. Restart all clients that "+
		"remember revisions, such as API servers and controllers; to keep revisions, use --snapshot\n", rev, v.Rev())
	return err
}

func (x *exportOptions) refused(err error) error {
	p := about(x.client.name(), err)
	switch {
	case errors.Is(err, etcdapi.ErrNotEmpty):
		p.remedy = "name an empty etcd, or the one that an interrupted run of this command has begun to fill"
	case errors.Is(err, etcdapi.ErrDiffers):
		p.remedy = "see that nothing else writes to it, empty it, and run this again"
	}
	return p
}

// amount is how much there is.
type amount struct{ keys, bytes int64 }

// contents is what of a view is to be written, and how much that is.
func (x *exportOptions) contents(v *state.View) (c etcdapi.Contents, size amount, err error) {
	c.Keys = func() iter.Seq2[*mvccpb.KeyValue, error] { return etcdapi.Select(v.Keys(""), x.prefixes) }
	leases := map[int64]bool{}
	for kv, err := range c.Keys() {
		if err != nil {
			return c, size, err
		}
		size.keys, size.bytes = size.keys+1, size.bytes+int64(len(kv.Key)+len(kv.Value))
		leases[kv.Lease] = true
	}
	whole := len(x.prefixes) == 0
	for l := range v.Leases() {
		if whole || leases[l.ID] {
			c.Leases = append(c.Leases, etcdapi.Lease{ID: l.ID, TTL: l.TTL})
		}
	}
	if !whole {
		return c, size, nil
	}
	c.Access.Enabled = v.AuthEnabled()
	for u := range v.Users() {
		c.Access.Users = append(c.Access.Users, u)
	}
	for r := range v.Roles() {
		c.Access.Roles = append(c.Access.Roles, r)
	}
	return c, size, nil
}
