package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/zkine/zkine/backend/recovery"
	"github.com/zkine/zkine/cmd/zkine/inspect"
	"github.com/zkine/zkine/revision/bytesize"
	"github.com/zkine/zkine/revision/zkroot"
)

const inspectHelp = `Tell what a root holds: the zkines that run on it, the keeper, the log with its segments, the checkpoint, what all of
it takes in ZooKeeper, the largest prefixes and keys, leases, and how many watchers each zkine has.

  zkine inspect --zookeeper=zk1:2181 --zookeeper-root=/zkine/prod
  zkine inspect --zookeeper=zk1:2181 --prefix-depth=3 -o json

It changes nothing, and zkines may go on serving; these are asked for nothing but their metrics. Memory stays small
whatever the root holds: keys are those of the newest checkpoint, read bit by bit. Only where the checkpoint and the log
after it are small is the log replayed, so that keys are those of now (--replay-bytes).`

// inspectOptions are the flags of `zkine inspect` beside those of `zkine log`.
type inspectOptions struct {
	output     string
	top, depth int
	replay     int64
	client     clientFlags
}

// newInspectCommand builds `zkine inspect`.
func newInspectCommand(environ []string) *cobra.Command {
	var i inspectOptions
	cmd := &cobra.Command{Use: "inspect", Short: "Tell what a root holds: members, log, checkpoint, sizes, keys, leases", Long: inspectHelp, Annotations: map[string]string{looksAtRunning: ""}}
	f := cmd.Flags()
	f.StringVarP(&i.output, "output", "o", "text", "`format`: text or json")
	f.IntVar(&i.top, "top", 10, "how `many` prefixes, keys and leases are named")
	f.IntVar(&i.depth, "prefix-depth", 2, "how many `parts` of a key make its prefix: 2 for /registry/pods/, 3 for /registry/pods/default/")
	f.Int64Var(&i.replay, "replay-bytes", 256<<20, "replay the log if it and the checkpoint are no more than so many `bytes`; the memory that it takes is one to two times that")
	i.client.bindTLS(f)
	return completeLogCommand(environ, cmd, i.run, i.check)
}

func (i *inspectOptions) check(v *checker) {
	v.oneOf("output", i.output, "text", "json")
	v.between("top", int64(i.top), 0, 10_000, plain)
	v.between("prefix-depth", int64(i.depth), 1, 16, plain)
	v.between("replay-bytes", i.replay, 0, 1<<50, bytes)
}

func (i *inspectOptions) run(cmd *cobra.Command, o *logOptions) error {
	conn, err := o.logConfig().Dialer.Dial(cmd.Context())
	if err != nil {
		return err
	}
	defer conn.Close()
	reader := zkroot.NewReader(conn, zkroot.Layout{Root: o.root})
	var p lookProgress
	out := cmd.ErrOrStderr()
	status, _ := terminal(out)
	over := showProgress(func(text string) { fmt.Fprintln(out, text) }, status, p.now)
	report, err := inspect.Run(cmd.Context(), inspect.Config{
		Conn: conn, Root: o.root, ClusterID: uint64(o.cluster.id), Top: i.top, Depth: i.depth, Replay: i.replay, Progress: p.set,
		Open: func(ctx context.Context, _ recovery.Until) (*recovery.Past, error) {
			past, err := reader.Past(ctx)
			if err != nil {
				return nil, err
			}
			return &recovery.Past{ClusterID: past.ClusterID, Checkpoint: past.Checkpoint, Slots: slotsOf(past.Each)}, nil
		},
		Watchers: func(ctx context.Context, id uint64, urls []string) (int64, int64, error) {
			return inspect.Watchers(ctx, id, urls, i.client.tls)
		},
	})
	over()
	if err != nil {
		return about("root "+o.root, err)
	}
	if i.output == "json" {
		enc := json.NewEncoder(cmd.OutOrStdout())
		enc.SetIndent("", "  ")
		return enc.Encode(report)
	}
	return printInspected(cmd.OutOrStdout(), report)
}

// lookProgress is how far a look at what there is has come.
type lookProgress struct {
	mu       sync.Mutex
	step     string
	done, of int64
}

func (p *lookProgress) set(step string, done, of int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.step, p.done, p.of = step, done, of
}

func (p *lookProgress) now() progress {
	p.mu.Lock()
	defer p.mu.Unlock()
	return portion{p.step, p.done, p.of}
}

// portion is how much of something is done, in whatever it is counted; of is 0 if it is
// not known how much there is.
type portion struct {
	what     string
	done, of int64
}

// Fraction implements progress.
func (p portion) Fraction() float64 {
	if p.of == 0 {
		return -1
	}
	return min(1, float64(p.done)/float64(p.of))
}

func (p portion) String() string {
	if p.of == 0 {
		return p.what
	}
	return fmt.Sprintf("%s: %.0f %%", p.what, 100*p.Fraction())
}

// mostSegments is how many segments are listed, the newest; the others are added up.
const mostSegments = 16

// printInspected prints a report.
func printInspected(w io.Writer, r *inspect.Report) error {
	var b strings.Builder
	fmt.Fprintf(&b, "root %s, cluster %s, about revision %d, last written %s\n", r.Root, r.Cluster, r.Revision, r.Written.Format(time.RFC3339))
	if r.Halted != "" {
		fmt.Fprintf(&b, "HALTED %s\n", printable(r.Halted))
	}
	for _, a := range r.Alarms {
		fmt.Fprintf(&b, "ALARM %s\n", a)
	}
	s := r.Sizes
	fmt.Fprintf(&b, "\nIN ZOOKEEPER  %s in %d znodes: log %s, packed %s, staged %s, checkpoints %s\n", bytesize.Text(s.Total()), s.Znodes, bytesize.Text(s.Log), bytesize.Text(s.Packed), bytesize.Text(s.Staged), bytesize.Text(s.Checkpoints))
	printMembers(&b, r.Members)
	printCheckpoints(&b, r)
	printSegments(&b, r.Segments)
	printKeys(&b, r)
	printLeases(&b, r.Leases)
	_, err := io.WriteString(w, b.String())
	return err
}

func printMembers(b *strings.Builder, all []inspect.Member) {
	fmt.Fprintf(b, "\nMEMBERS  %d\n", len(all))
	for _, m := range all {
		role := ""
		if m.Keeper {
			role = ", the keeper"
		}
		watchers := "watchers are not known: " + m.Unknown
		if m.Watchers != nil {
			watchers = fmt.Sprintf("%d watchers in %d streams", *m.Watchers, *m.Streams)
		}
		fmt.Fprintf(b, "  %s (%s)%s, at %s: %s\n", printable(m.Name), m.ID, role, printable(strings.Join(m.URLs, ", ")), printable(watchers))
	}
}

func printCheckpoints(b *strings.Builder, r *inspect.Report) {
	if r.Checkpoint == nil {
		fmt.Fprintf(b, "\nCHECKPOINT  none yet\n")
		return
	}
	c := r.Checkpoint
	fmt.Fprintf(b, "\nCHECKPOINT  up to segment %d, revision %d, %s in %d chunks (%s unpacked), written %s\n", c.Segment, c.Revision, bytesize.Text(c.Bytes), c.Chunks, bytesize.Text(c.RawBytes), c.Written.Format(time.RFC3339))
	if p := r.Previous; p != nil {
		fmt.Fprintf(b, "  before it: up to segment %d, revision %d, %s\n", p.Segment, p.Revision, bytesize.Text(p.Bytes))
	}
}

func printSegments(b *strings.Builder, all []inspect.Segment) {
	fmt.Fprintf(b, "\nLOG  %d segments\n  %-10s %8s %8s %12s %12s %12s  %s\n", len(all), "SEGMENT", "SLOTS", "ZNODES", "LOG", "PACKED", "STAGED", "LAST WRITTEN")
	left := max(0, len(all)-mostSegments)
	if left > 0 {
		slots, bytes := int64(0), int64(0)
		for _, s := range all[:left] {
			slots, bytes = slots+s.Slots, bytes+s.Bytes()
		}
		fmt.Fprintf(b, "  %d older ones with %d slots, %s\n", left, slots, bytesize.Text(bytes))
	}
	for _, s := range all[left:] {
		note := ""
		switch {
		case s.Open:
			note = ", open"
		case s.Covered:
			note = ", in the checkpoint"
		}
		fmt.Fprintf(b, "  %-10d %8d %8d %12s %12s %12s  %s%s\n", s.Number, s.Slots, s.Znodes, bytesize.Text(s.LogBytes), bytesize.Text(s.PackedBytes), bytesize.Text(s.StagedBytes), s.Written.Format(time.RFC3339), note)
	}
}

func printKeys(b *strings.Builder, r *inspect.Report) {
	k := r.Keys
	if k == nil {
		fmt.Fprintf(b, "\nKEYS  not known: %s\n", r.KeysUnknown)
		return
	}
	when := "as of the checkpoint"
	if k.Newest {
		when = "now"
	}
	fmt.Fprintf(b, "\nKEYS  %d with %s, and %d older versions with %s, at revision %d, %s\n", k.Live, bytesize.Text(k.Bytes), k.Versions, bytesize.Text(k.VersionBytes), k.Revision, when)
	if len(k.Prefixes) > 0 {
		fmt.Fprintf(b, "  %10s %12s %10s %12s  %s\n", "KEYS", "BYTES", "OLDER", "BYTES", "PREFIX")
	}
	line := func(p inspect.Prefix, name string) {
		fmt.Fprintf(b, "  %10d %12s %10d %12s  %s\n", p.Live, bytesize.Text(p.Bytes), p.Versions, bytesize.Text(p.VersionBytes), name)
	}
	for _, p := range k.Prefixes {
		line(p, cmp.Or(p.Prefix, "(without a slash)"))
	}
	if k.Others != nil {
		line(*k.Others, "all others")
	}
	if len(k.Largest) > 0 {
		fmt.Fprintf(b, "  %12s %10s %12s  %s\n", "BYTES", "VERSION", "REVISION", "LARGEST KEYS")
	}
	for _, key := range k.Largest {
		fmt.Fprintf(b, "  %12s %10d %12d  %s\n", bytesize.Text(key.Bytes), key.Version, key.ModRevision, key.Key)
	}
}

func printLeases(b *strings.Builder, l *inspect.Leases) {
	if l == nil {
		return
	}
	fmt.Fprintf(b, "\nLEASES  %d with %d keys; %d have none\n", l.Count, l.Keys, l.Empty)
	for _, one := range l.Largest {
		fmt.Fprintf(b, "  %s  %d keys, TTL %d s\n", one.ID, one.Keys, one.TTL)
	}
}
