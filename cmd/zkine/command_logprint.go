package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/zkine/zkine/backend/recovery"
	"github.com/zkine/zkine/cmd/zkine/logprint"
	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zkroot"
)

const logPrintHelp = `Print the records of the log, oldest first: the place, the time, the member that wrote it, the revision after it, what
was asked for, and what became of it.

  zkine log print --zookeeper=zk1:2181 --prefix=/registry/pods/shop/
  zkine log print --zookeeper=zk1:2181 --follow
  zkine log print --zookeeper=zk1:2181 --from-revision=4700 --to-revision=4711 -o json

It reads the log under a root, as far back as there is anything of it, changes nothing, and zkines may go on serving.
With --follow it goes on with what is written, until it is stopped.

Values are not shown. --values shows the beginning of each, but for those of Kubernetes' Secrets, and never a password
or a token. Everything else that is in the store is shown then: mind who reads it.

Revisions, and what became of a record, come of replaying the log, which takes the memory of the state. Without, by
--replay=false, it prints what was asked for and needs next to none.`

// logPrintOptions are the flags of `zkine log print` beside those of `zkine log`.
type logPrintOptions struct {
	follow           bool
	fromRev, toRev   int64
	fromText, toText string
	from, to         revision.Seq
	prefix           string
	values           bool
	valueBytes       int
	replay           bool
	output           string
}

// newLogPrintCommand builds `zkine log print`.
func newLogPrintCommand(environ []string) *cobra.Command {
	var p logPrintOptions
	cmd := &cobra.Command{Use: "print", Short: "Print what the log holds, and follow it", Long: logPrintHelp, Annotations: map[string]string{looksAtRunning: ""}}
	f := cmd.Flags()
	f.BoolVarP(&p.follow, "follow", "f", false, "go on with what is written, until SIGINT or SIGTERM")
	f.Int64Var(&p.fromRev, "from-revision", 0, "begin with the record that makes this `revision`")
	f.Int64Var(&p.toRev, "to-revision", 0, "end with the record that makes this `revision`")
	f.StringVar(&p.fromText, "from-place", "", "begin at this `place`: segment/slot, as in the first column")
	f.StringVar(&p.toText, "to-place", "", "end with this `place`")
	f.StringVar(&p.prefix, "prefix", "", "only records about keys that begin with this `text`")
	f.BoolVar(&p.values, "values", false, "show values, but for those of Kubernetes' Secrets")
	f.IntVar(&p.valueBytes, "value-bytes", 256, "how many `bytes` of each value are shown, at most, with --values")
	f.BoolVar(&p.replay, "replay", true, "replay the log, to tell revisions and what became of each record")
	f.StringVarP(&p.output, "output", "o", "table", "`format`: table, or json, one object a line")
	return completeLogCommand(environ, cmd, p.run, p.check)
}

func (p *logPrintOptions) check(v *checker) {
	v.oneOf("output", p.output, "table", "json")
	v.between("value-bytes", int64(p.valueBytes), 1, 64<<20, bytes)
	v.between("from-revision", p.fromRev, 0, 1<<62, plain)
	v.between("to-revision", p.toRev, 0, 1<<62, plain)
	p.from = v.place("from-place", p.fromText)
	p.to = v.place("to-place", p.toText)
	switch {
	case !p.replay && p.fromRev > 0:
		v.refuse("from-revision", "revisions are known by replaying the log", "leave --replay=false out, or use --from-place")
	case !p.replay && p.toRev > 0:
		v.refuse("to-revision", "revisions are known by replaying the log", "leave --replay=false out, or use --to-place")
	case p.toRev > 0 && p.toRev < p.fromRev:
		v.refuse("to-revision", "it comes before --from-revision", "swap them")
	case p.toText != "" && p.to.Before(p.from):
		v.refuse("to-place", "it comes before --from-place", "swap them")
	}
}

// place reads segment/slot.
func (v *checker) place(flag, text string) (at revision.Seq) {
	if text == "" {
		return at
	}
	segment, slot, _ := strings.Cut(text, "/")
	var err, wrong error
	at.Segment, err = strconv.ParseInt(segment, 10, 64)
	at.Slot, wrong = strconv.ParseInt(slot, 10, 64)
	if err != nil || wrong != nil || at.Segment < 1 || at.Slot < 0 {
		v.refuse(flag, fmt.Sprintf("%q is no place in the log", text), "write it like 12/4095: segment/slot")
	}
	return at
}

// errPrinted ends the printing where it is to end.
var errPrinted = errors.New("all was printed")

func (p *logPrintOptions) run(cmd *cobra.Command, o *logOptions) error {
	source := &logSource{o: o, follow: p.follow, say: cmd.ErrOrStderr()}
	defer source.close()
	buffered := bufio.NewWriterSize(cmd.OutOrStdout(), 64<<10)
	out := &recordPrinter{logPrintOptions: p, w: buffered}
	if p.follow {
		out.w = cmd.OutOrStdout()
	}
	if p.values {
		out.format.ValueBytes = p.valueBytes
	}
	var err error
	for range mostReads {
		if err = p.once(cmd.Context(), source, out); !errors.Is(err, revision.ErrTrimmed) || out.seen {
			break // else the log was trimmed before anything of it was read
		}
	}
	if full := buffered.Flush(); full != nil {
		return full
	}
	switch {
	case errors.Is(err, errPrinted), p.follow && cmd.Context().Err() != nil:
		return nil
	case err != nil:
		return about("root "+o.root, err)
	}
	return nil
}

// mostReads bounds how often a log is begun to be read that is trimmed at once.
const mostReads = 5

func (p *logPrintOptions) once(ctx context.Context, source *logSource, out *recordPrinter) error {
	past, err := source.open(ctx)
	if err != nil {
		return err
	}
	return recovery.Records(ctx, past, p.replay, out.print)
}

// recordPrinter prints records as they come.
type recordPrinter struct {
	*logPrintOptions
	w       io.Writer
	format  logprint.Format
	started bool
	seen    bool // there was a record, shown or not
}

func (p *recordPrinter) print(r *recovery.Record) error {
	p.seen = true
	at := r.Slot.Seq
	switch {
	case p.toText != "" && p.to.Before(at), p.toRev > 0 && int64(r.Revision) > p.toRev:
		return errPrinted
	case at.Before(p.from), p.fromRev > 0 && int64(r.Revision) < p.fromRev:
		return nil
	}
	shown := p.format.Show(r)
	if p.prefix != "" && !shown.Touches(p.prefix) {
		return nil
	}
	if p.output == "json" {
		line, err := json.Marshal(shown)
		if err != nil {
			return err
		}
		_, err = p.w.Write(append(line, '\n'))
		return err
	}
	if !p.started {
		p.started = true
		if _, err := io.WriteString(p.w, logprint.Head()); err != nil {
			return err
		}
	}
	_, err := io.WriteString(p.w, shown.String())
	return err
}

// logSource reads the log of a root, and follows it over lost sessions.
type logSource struct {
	o      *logOptions
	follow bool
	say    io.Writer

	conn interface{ Close() }
	read zkroot.Reader
}

// followPause is how often it is looked for new slots.
const followPause = 200 * time.Millisecond

func (s *logSource) dial(ctx context.Context) error {
	s.close()
	conn, err := s.o.logConfig().Dialer.Dial(ctx)
	if err != nil {
		return err
	}
	s.conn, s.read = conn, zkroot.NewReader(conn, zkroot.Layout{Root: s.o.root})
	return nil
}

// redialPause is how long it is waited before a session is tried for again.
const redialPause = time.Second

// redial opens a session again, however long that takes. Error: the end of ctx.
func (s *logSource) redial(ctx context.Context) error {
	for {
		err := s.dial(ctx)
		if err == nil || ctx.Err() != nil {
			return err
		}
		why := oneLine(err.Error())
		var p *problem
		if errors.As(err, &p) {
			why = p.what
		}
		fmt.Fprintf(s.say, "still no connection to ZooKeeper: %s\n", why)
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(redialPause):
		}
	}
}

func (s *logSource) close() {
	if s.conn != nil {
		s.conn.Close()
		s.conn = nil
	}
}

// open looks at what there is of the log.
func (s *logSource) open(ctx context.Context) (*recovery.Past, error) {
	if err := s.dial(ctx); err != nil {
		return nil, err
	}
	past, err := s.read.Past(ctx)
	if err != nil {
		return nil, err
	}
	want := zkroot.Wanted{Root: s.o.root, ClusterID: uint64(s.o.cluster.id)}
	if err := want.Allows(past.ClusterID); err != nil {
		return nil, err
	}
	out := &recovery.Past{ClusterID: past.ClusterID, Checkpoint: past.Checkpoint, Slots: slotsOf(past.Each)}
	if s.follow {
		out.Slots = slotsOf(func(ctx context.Context) iter.Seq2[*zkroot.StoredSlot, error] { return s.tail(ctx, past.Begin()) })
	}
	return out, nil
}

// tail yields the slots from a place on, without an end but ctx's.
func (s *logSource) tail(ctx context.Context, at zkroot.Place) iter.Seq2[*zkroot.StoredSlot, error] {
	return func(yield func(*zkroot.StoredSlot, error) bool) {
		for {
			ended := false
			err := s.read.Tail(ctx, &at, followPause, func(slot *zkroot.StoredSlot) bool {
				ended = !yield(slot, nil)
				return !ended
			})
			if ended {
				return
			}
			if lost(err) && ctx.Err() == nil {
				fmt.Fprintln(s.say, "the connection to ZooKeeper was lost; going on with another one")
				err = s.redial(ctx)
			}
			if err != nil {
				yield(nil, err)
				return
			}
		}
	}
}
