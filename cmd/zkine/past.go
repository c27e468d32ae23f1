package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/zkine/zkine/backend/recovery"
	"github.com/zkine/zkine/revision/archive"
	"github.com/zkine/zkine/revision/archive/objectstore"
	"github.com/zkine/zkine/revision/zkroot"
)

// pastFlags say where the past of a cluster is read, if it is not a root.
type pastFlags struct {
	archive string
	cluster string
}

func (p *pastFlags) bind(f *pflag.FlagSet) {
	f.StringVar(&p.archive, "archive", "", "`url` of an archive: file:///folder, s3://bucket/prefix?endpoint=https://host:port, or a file")
	f.StringVar(&p.cluster, "archive-cluster", "", "which `cluster` of the archive, if it has several")
}

// named says whether an archive is named.
func (p *pastFlags) named() bool { return p.archive != "" }

func (p *pastFlags) check(v *checker) {
	if p.cluster != "" && !p.named() {
		v.refuse("archive-cluster", "no archive is named", "name one with --archive")
	}
}

// store is where the archive lies.
func (p *pastFlags) store() (archive.Store, error) {
	store, err := objectstore.Open(p.archive, false)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil, err
	}
	if err != nil {
		p := about("--archive", err)
		p.usage, p.remedy = true, cmp.Or(p.remedy, "write one like file:///backup/zkine")
		return nil, p
	}
	return store, nil
}

// open looks at the archive.
func (p *pastFlags) open(ctx context.Context) (*archivePast, error) {
	store, err := p.store()
	if err != nil {
		return nil, notRead(err)
	}
	place, err := archive.OpenPlace(ctx, store, p.cluster)
	if err != nil {
		return nil, notRead(err)
	}
	return &archivePast{store, place}, nil
}

// notRead says why an archive cannot be read.
func notRead(err error) *problem {
	p := about("the archive", err)
	if p.remedy == "" && errors.Is(err, fs.ErrNotExist) {
		p.remedy = "check --archive"
	}
	return p
}

// archivePast is what an archive holds of one cluster.
type archivePast struct {
	store archive.Store
	place *archive.Place
}

// String names it for people.
func (a *archivePast) String() string { return fmt.Sprint(a.store) }

// open implements recovery.Opener.
func (a *archivePast) open(ctx context.Context, until recovery.Until) (*recovery.Past, error) {
	return a.past(ctx, archive.Until{Time: until.Time, Revision: until.Revision})
}

// oldest opens all that there is, or, if since is not zero, what comes after it.
func (a *archivePast) oldest(ctx context.Context, since time.Time) (*recovery.Past, error) {
	until := archive.Until{Time: since}
	if since.IsZero() {
		until.Revision = 1
	}
	p, err := a.past(ctx, until)
	if first := a.place.Checkpoints(); errors.Is(err, archive.ErrTooEarly) && len(first) > 0 {
		return a.past(ctx, archive.Until{Revision: first[0].Revision})
	}
	return p, err
}

func (a *archivePast) past(ctx context.Context, until archive.Until) (*recovery.Past, error) {
	p, err := a.place.Past(ctx, until)
	if err != nil {
		return nil, err
	}
	out := &recovery.Past{ClusterID: p.ClusterID, Checkpoint: p.Checkpoint, Revision: p.Revision, Time: p.Time}
	out.Slots = slotsOf(p.Each)
	return out, nil
}

// slotsOf are stored slots in recovery's words.
func slotsOf(each func(context.Context) iter.Seq2[*zkroot.StoredSlot, error]) func(context.Context) iter.Seq2[recovery.Slot, error] {
	return func(ctx context.Context) iter.Seq2[recovery.Slot, error] {
		return func(yield func(recovery.Slot, error) bool) {
			for slot, err := range each(ctx) {
				if err != nil {
					yield(recovery.Slot{}, err)
					return
				}
				if !yield(recovery.Slot{Slot: slot.Slot, Made: slot.Made}, nil) {
					return
				}
			}
		}
	}
}

// onRootPast does something with the past of a root, on one session. A root has one
// past, whatever is asked for.
func onRootPast(cmd *cobra.Command, o *logOptions, do func(recovery.Opener) error) error {
	conn, err := o.logConfig().Dialer.Dial(cmd.Context())
	if err != nil {
		return err
	}
	defer conn.Close()
	reader := zkroot.NewReader(conn, zkroot.Layout{Root: o.root})
	return do(func(ctx context.Context, _ recovery.Until) (*recovery.Past, error) {
		p, err := reader.Past(ctx)
		if err != nil {
			return nil, err
		}
		want := zkroot.Wanted{Root: o.root, ClusterID: uint64(o.cluster.id)}
		if err := want.Allows(p.ClusterID); err != nil {
			return nil, err
		}
		return &recovery.Past{ClusterID: p.ClusterID, Checkpoint: p.Checkpoint, Slots: slotsOf(p.Each)}, nil
	})
}

// clusterName is a cluster's id for people.
func clusterName(id uint64) string { return fmt.Sprint(zkroot.ClusterID(id)) }
