package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/zkine/zkine/backend/etcdapi"
	"github.com/zkine/zkine/backend/mirror"
	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/backend/transfer"
	bars "github.com/zkine/zkine/cmd/zkine/progress"
	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/bytesize"
	"github.com/zkine/zkine/revision/zkseed"
)

// fromEndpoints moves a live store in, and follows it if it is to. A root that follows
// already goes on where it is.
func (i *importOptions) fromEndpoints(cmd *cobra.Command, o *logOptions) error {
	ctx := cmd.Context()
	client, err := i.live.client.connect(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	dialing, cancel := context.WithTimeout(ctx, i.live.client.dialTimeout)
	source, err := etcdapi.Connect(dialing, client, i.prefixes)
	cancel()
	if err != nil {
		return i.live.client.unreachable(err)
	}
	t := &transferring{cmd: cmd, o: o, dryRun: i.dryRun}
	if err := zkseed.Check(ctx, o.seedConfig()); i.live.follow && errors.Is(err, zkseed.ErrNotEmpty) {
		return i.followOn(cmd, o, source)
	}
	if t, err = beginTransfer(cmd, o, i.dryRun); err != nil {
		return err
	}
	defer t.bar.Done()
	if err := i.fromSource(ctx, t, source); err != nil {
		return i.liveProblem(err)
	}
	if !i.live.follow {
		return nil
	}
	return i.followOn(cmd, o, source)
}

func (i *importOptions) fromSource(ctx context.Context, t *transferring, source *etcdapi.Source) error {
	passwords, err := i.live.passwords()
	if err != nil {
		return err
	}
	name := fmt.Sprintf("%v %x, %s, at revision ", source.Kind(), source.ClusterID(), transfer.Selected(i.prefixes))
	before, err := zkseed.Unfinished(ctx, t.o.seedConfig())
	if err != nil {
		return err
	}
	t.bar.Step("asking " + i.live.client.name())
	live, err := transfer.OpenLive(ctx, source, transfer.LiveOptions{At: revisionOf(before, name), Values: i.revisions.fresh,
		WithoutUsers: i.live.withoutUsers, Passwords: passwords})
	if err != nil {
		return err
	}
	t.sayf("%s is %s %v, cluster %x", i.live.client.name(), article(source.Kind()), source.Kind(), source.ClusterID())
	t.sayf("revision %d; %d keys; %d leases, whose time begins again; %d users and %d roles", live.Revision, live.Count, len(live.Leases), len(live.Users), len(live.Roles))
	i.sayLeftOut(t, source, live)
	if len(i.prefixes) > 0 && live.Count == 0 && !i.live.follow {
		return noKeys(i.live.client.name())
	}
	if err := t.seed(ctx, name+strconv.FormatInt(live.Pinned.Revision, 10), &live.Contents, &i.revisions); err != nil {
		return err
	}
	same := "keys, values, leases and revisions"
	if i.revisions.fresh {
		same = "keys, values and leases"
	}
	t.sayf("%s are the same on both sides: hash %.16s", same, live.KeysHash())
	return nil
}

// article is that of a kind's name.
func article(k etcdapi.Kind) string {
	if k == etcdapi.Kine {
		return "a"
	}
	return "an"
}

// revisionOf is the revision in the name of a transfer that was cut off, if it was of the
// same source; 0 if not.
func revisionOf(before, name string) int64 {
	rest, same := strings.CutPrefix(before, name)
	if !same {
		return 0
	}
	digits, _, _ := strings.Cut(rest, ",")
	rev, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return 0
	}
	return rev
}

// sayLeftOut says what the API does not tell.
func (i *importOptions) sayLeftOut(t *transferring, source *etcdapi.Source, live *transfer.Live) {
	t.sayf("the history before revision %d stays behind: watches that begin there are told that it is compacted; a snapshot brings it", live.Revision)
	if n := live.Pinned.Others; n > 0 {
		t.sayf("%d keys are not selected by the prefixes, and stay behind", n)
	}
	if source.Kind() == etcdapi.Kine {
		t.sayf("a kine counts no versions, and its leases are lifetimes: a lease's keys live on together, each no shorter than it would have")
	}
	if len(live.Locked) > 0 {
		t.sayf("the API tells no passwords: %s cannot log in by one until root gives them new ones (etcdctl user passwd)", strings.Join(live.Locked, ", "))
	}
}

// liveProblem names the source, and what to do.
func (i *importOptions) liveProblem(err error) error {
	p := about(i.live.client.name(), err)
	switch {
	case errors.Is(err, transfer.ErrNoPasswords):
		p.what = "users count there, and the API does not tell their passwords"
		p.remedy = "move a snapshot in (etcdctl snapshot save), which holds them, or give root's, and others', with --passwords-file; --without-users leaves all users out"
	case errors.Is(err, etcdapi.ErrCompacted):
		p.remedy = "run this again; with little time between compactions, move a snapshot in instead"
		if i.live.follow {
			p.remedy = "what was told after that is lost: begin again with another --zookeeper-root"
		}
	case errors.Is(err, mirror.ErrSkipped):
		p.remedy = "the root is whole up to there, and cannot go on: begin again with another --zookeeper-root, with nothing that writes to the source, or move a snapshot in"
	case errors.Is(err, mirror.ErrOthers):
		p.thing, p.remedy = "the root", "let nothing serve or write it before the cut-over; begin again with another --zookeeper-root if it was written to"
	case errors.Is(err, mirror.ErrUnrelated):
		p.remedy = "name the store that this root was copied from, with the same --prefix, or another --zookeeper-root"
	case errors.Is(err, etcdapi.ErrDiffers):
		p.remedy = "do not serve this root: begin again with another --zookeeper-root"
	}
	return p
}

// followOn follows until the command is stopped, and compares both sides then.
func (i *importOptions) followOn(cmd *cobra.Command, o *logOptions, source *etcdapi.Source) error {
	stopping := cmd.Context()
	ctx := context.WithoutCancel(stopping) // a signal has it come to an end in order
	log, err := openExisting(stopping, o)
	if err != nil {
		return err
	}
	defer log.Close()
	bar := bars.New(cmd.ErrOrStderr(), "reading the root")
	defer bar.Done()
	root, err := mirror.LoadAlone(stopping, log)
	if err != nil {
		return i.liveProblem(err)
	}
	if err := mirror.Related(stopping, source, root.View()); err != nil {
		return i.liveProblem(err)
	}
	from := root.View().Rev()
	bar.Printf("following from revision %d on; stop with SIGINT or SIGTERM once the writers have stopped", from)
	bar.Step("following")
	stop := make(chan struct{})
	var once sync.Once
	end := func() { once.Do(func() { close(stop) }) }
	defer context.AfterFunc(stopping, end)()
	f := &mirror.Follower{Source: source, Root: root, Report: i.reporter(bar, end)}
	cmd.SetContext(ctx) // what is found once it was stopped has an exit code of its own
	verified, err := i.followAndCompare(ctx, f, source, bar, stop)
	if err != nil {
		return i.liveProblem(err)
	}
	bar.Done()
	if err := i.sayFollowed(ctx, cmd, source, from, verified); err != nil {
		return err
	}
	return i.checkUsers(ctx, source, root.View())
}

// checkUsers is an error if users or roles of the source were changed since they were
// copied: it is not told of that.
func (i *importOptions) checkUsers(ctx context.Context, source *etcdapi.Source, v *state.View) error {
	if i.live.withoutUsers || !source.Whole() {
		return nil // they stay behind
	}
	changed, err := source.AccessChanged(ctx, v.AuthEnabled(), v.AuthRevision())
	if err != nil {
		return i.liveProblem(err)
	}
	if changed {
		return &problem{thing: i.live.client.name(), what: "its users or roles are not those that were copied: they were changed since, and are not followed",
			remedy: "make the same changes once zkines serve the root, or begin again with another --zookeeper-root; --without-users, if they were left out"}
	}
	return nil
}

// reporter shows how it goes, and ends it at the lag that is asked for.
func (i *importOptions) reporter(bar *bars.Bar, end func()) func(mirror.Progress) {
	var last mirror.Progress
	first := int64(0) // where the source was at the beginning: since when is not known
	return func(p mirror.Progress) {
		if first == 0 {
			first = p.Source
		}
		bar.Add(p.Events-last.Events, p.Bytes-last.Bytes)
		last = p
		note := fmt.Sprintf("revision %d, %d revisions and %.1f s behind", p.Revision, max(p.Source-p.Revision, 0), p.Lag.Seconds())
		if p.Unheard != nil {
			note += ", the source does not answer"
		}
		bar.Note(note)
		if i.live.untilLag > 0 && p.Unheard == nil && first > 0 && p.Revision >= first && p.Lag <= i.live.untilLag {
			end()
		}
	}
}

// compareTries is how often it is followed on once more because the source has compacted
// what was to be compared.
const compareTries = 3

func (i *importOptions) followAndCompare(ctx context.Context, f *mirror.Follower, source *etcdapi.Source, bar *bars.Bar, stop <-chan struct{}) (mirror.Verified, error) {
	for try := 1; ; try++ {
		if err := f.Run(ctx, stop); err != nil {
			return mirror.Verified{}, err
		}
		v := f.Root.View()
		bar.Step("comparing both sides")
		bar.Total(int64(v.NumKeys()), 0)
		verified, err := mirror.Verify(ctx, source, v, bar.Add)
		if !errors.Is(err, etcdapi.ErrCompacted) || try == compareTries {
			return verified, err
		}
		bar.Step("following")
	}
}

func (i *importOptions) sayFollowed(ctx context.Context, cmd *cobra.Command, source *etcdapi.Source, from revision.Rev, v mirror.Verified) error {
	w := cmd.OutOrStdout()
	fmt.Fprintf(w, "followed from revision %d to %d\n", from, v.Revision)
	fmt.Fprintf(w, "both sides are the same at revision %d: %d keys, %s, hash %.16s\n", v.Revision, v.Keys, bytesize.Text(v.Bytes), v.Hash)
	current, err := source.Current(ctx)
	switch {
	case err != nil:
		fmt.Fprintf(w, "the source does not tell whether it was written to since: %s\n", oneLine(err.Error()))
	case current > v.Revision && i.live.untilLag > 0: // it was not told that the writers have stopped
		fmt.Fprintf(w, "the source is at revision %d by now: what came after %d is not in the root. Stop what writes to it, and run this again\n", current, v.Revision)
	case current > v.Revision:
		return &problem{thing: i.live.client.name(), what: fmt.Sprintf("it is at revision %d by now: what came after %d is not in the root", current, v.Revision),
			remedy: "stop what writes to it, and run this again"}
	default:
		fmt.Fprintln(w, "the source was not written to since: start the zkines, and lead the clients there")
	}
	return nil
}
