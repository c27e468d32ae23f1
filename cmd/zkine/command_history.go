package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/zkine/zkine/backend/recovery"
	"github.com/zkine/zkine/cmd/zkine/logprint"
)

const historyHelp = `Tell who changed a key, and when: the revision, the time, the member that wrote it, the user that asked for it, what
it did, the size of the value and the lease. Values are not shown; etcdctl get --rev shows those that are not compacted.

  zkine history --zookeeper=zk1:2181 /registry/pods/default/web
  zkine history --zookeeper=zk1:2181 --prefix=/registry/pods/default/
  zkine history --archive=file:///backup/zkine --since=2026-11-28T00:00:00Z --prefix=/registry/pods/default/

It reads the log under a root, as far back as there is anything of it, changes nothing, and zkines may go on serving.
What was trimmed from the log is in an archive only, which is read from its beginning, or from --since on. "-" stands for
what is not known: a change that only a checkpoint still holds has lost who made it, and a user is known if users count
(etcdctl auth enable).`

// historyOptions are the flags of `zkine history` beside those of `zkine log`.
type historyOptions struct {
	keys   recovery.Keys
	prefix string
	output string
	since  string
	past   pastFlags
}

// newHistoryCommand builds `zkine history`.
func newHistoryCommand(environ []string) *cobra.Command {
	var h historyOptions
	cmd := &cobra.Command{
		Use:         "history KEY",
		Short:       "Tell who changed a key, and when",
		Long:        historyHelp,
		Annotations: map[string]string{needsNoRoot: "archive"},
	}
	f := cmd.Flags()
	f.StringVar(&h.prefix, "prefix", "", "all keys that begin with this `text`, instead of one KEY")
	f.StringVarP(&h.output, "output", "o", "table", "`format`: table, or json, one object a line")
	f.StringVar(&h.since, "since", "", "tell what an archive has from this `time` on, as 2026-11-28T12:03:00Z, instead of all")
	h.past.bind(f)
	cmd = completeLogCommand(environ, cmd, h.run)
	cmd.Args = h.check
	return cmd
}

// check judges the arguments; the environment was not read yet.
func (h *historyOptions) check(_ *cobra.Command, args []string) error {
	switch len(args) {
	case 0:
		return nil
	case 1:
		h.keys = recovery.Keys{Key: args[0]}
		return nil
	}
	return &problem{thing: args[1], what: "there is one KEY", remedy: "use --prefix for several, and quote what holds spaces", usage: true}
}

// complete judges the flags.
func (h *historyOptions) complete(cmd *cobra.Command, o *logOptions) (since time.Time, err error) {
	v := checker{flags: cmd.Flags()}
	prefix := cmd.Flags().Lookup("prefix").Changed || h.prefix != ""
	switch {
	case h.keys.Key == "" && !prefix:
		return since, &problem{thing: "KEY", what: "is needed", remedy: "name a key, or keys with --prefix", usage: true}
	case h.keys.Key != "" && prefix:
		v.refuse("prefix", "it contradicts KEY", "leave one of them out")
	case o.named() && h.past.named():
		v.refuse("archive", "a root is named, too", "name one of both: they may tell of different times")
	case h.since != "" && !h.past.named():
		v.refuse("since", "it is for archives", "leave it out: a root holds little enough")
	}
	if prefix {
		h.keys = recovery.Keys{Key: h.prefix, Prefix: true}
	}
	v.oneOf("output", h.output, "table", "json")
	h.past.check(&v)
	if h.since != "" {
		since = v.time("since", h.since)
	}
	return since, v.err()
}

func (h *historyOptions) run(cmd *cobra.Command, o *logOptions) error {
	since, err := h.complete(cmd, o)
	if err != nil {
		return err
	}
	if !h.past.named() {
		return onRootPast(cmd, o, func(open recovery.Opener) error {
			return h.tell(cmd, "root "+o.root, since, func(ctx context.Context) (*recovery.Past, error) { return open(ctx, recovery.Until{}) })
		})
	}
	from, err := h.past.open(cmd.Context())
	if err != nil {
		return err
	}
	return h.tell(cmd, from.String(), since, func(ctx context.Context) (*recovery.Past, error) { return from.oldest(ctx, since) })
}

func (h *historyOptions) tell(cmd *cobra.Command, source string, since time.Time, open func(context.Context) (*recovery.Past, error)) error {
	out := historyPrinter{w: cmd.OutOrStdout(), json: h.output == "json"}
	printed := 0
	told, err := recovery.History(cmd.Context(), open, h.keys, func(c *recovery.Change) error {
		if c.Time.Before(since) {
			return nil
		}
		printed++
		return out.print(c)
	})
	if err != nil {
		return about(source, err)
	}
	printTold(cmd.ErrOrStderr(), printed, told)
	return nil
}

// printTold says how complete it is.
func printTold(w io.Writer, printed int, t *recovery.Told) {
	fmt.Fprintf(w, "%d changes; the store is at revision %d\n", printed, t.Newest)
	if t.Oldest > 1 {
		fmt.Fprintf(w, "before revision %d only what was there then is known: it was compacted\n", t.Oldest)
	}
	if t.Known > max(t.Oldest, 2) { // an empty store is at revision 1
		fmt.Fprintf(w, "before revision %d it is not known who made a change, and when: that part of the log was not kept\n", t.Known)
	}
}

// historyPrinter prints changes as they come.
type historyPrinter struct {
	w       io.Writer
	json    bool
	started bool
}

const historyRow = "%-12s %-24s %-20s %-16s %-7s %8s %10s %-16s %s\n"

func (p *historyPrinter) print(c *recovery.Change) error {
	if p.json {
		return p.printJSON(c)
	}
	if !p.started {
		p.started = true
		if _, err := fmt.Fprintf(p.w, historyRow, "REVISION", "TIME", "MEMBER", "USER", "CHANGE", "VERSION", "BYTES", "LEASE", "KEY"); err != nil {
			return err
		}
	}
	written, version, size, lease := "-", "-", "-", "-"
	if c.Clock != recovery.NoClock {
		written = c.Time.Format("2006-01-02T15:04:05.000Z07:00")
	}
	if c.Version > 0 {
		version, size = strconv.FormatInt(c.Version, 10), strconv.Itoa(c.Size)
	}
	if c.Lease != 0 {
		lease = strconv.FormatInt(c.Lease, 16)
	}
	_, err := fmt.Fprintf(p.w, historyRow, strconv.FormatInt(int64(c.Revision), 10), written, dash(c.Member), dash(c.User), c.Kind, version, size, lease, readable(c.Key))
	return err
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return readable(text)
}

// readable is logprint.Readable of a text that may be left out.
func readable(text string) string {
	if text == "" {
		return ""
	}
	return logprint.Readable([]byte(text))
}

// historyRecord is a change in JSON. What is not known is left out.
type historyRecord struct {
	Revision int64  `json:"revision"`
	Time     string `json:"time,omitempty"`
	// Clock is whose time it is: member, or zookeeper.
	Clock  recovery.Clock `json:"clock,omitempty"`
	Member string         `json:"member,omitempty"`
	User   string         `json:"user,omitempty"`
	Change recovery.Kind  `json:"change"`
	Txn    bool           `json:"txn,omitempty"`
	// Key is the key if it is UTF-8, KeyBytes its bytes, in base64, if not.
	Key      *string `json:"key,omitempty"`
	KeyBytes []byte  `json:"key_base64,omitempty"`
	Version  int64   `json:"version,omitempty"`
	Bytes    int     `json:"bytes"`
	Lease    int64   `json:"lease,omitempty"`
	// Place is segment/slot in the log.
	Place string `json:"place,omitempty"`
}

func (p *historyPrinter) printJSON(c *recovery.Change) error {
	r := historyRecord{Revision: int64(c.Revision), Clock: c.Clock, Member: c.Member, User: c.User, Change: c.Kind, Txn: c.Txn,
		Version: c.Version, Bytes: c.Size, Lease: c.Lease}
	if c.Clock != recovery.NoClock {
		r.Time = c.Time.Format(time.RFC3339Nano)
	}
	if c.Seq.Segment > 0 {
		r.Place = c.Seq.String()
	}
	if utf8.ValidString(c.Key) {
		r.Key = &c.Key
	} else {
		r.KeyBytes = []byte(c.Key)
	}
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	_, err = p.w.Write(append(line, '\n'))
	return err
}
