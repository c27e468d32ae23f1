package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"
	"time"

	"github.com/zkine/zkine/conformance/abuse/load"
	"github.com/zkine/zkine/conformance/bench/machine"
)

// options are what the flags say.
type options struct {
	run      *regexp.Regexp
	zkine    string // program; "" is built
	dir      string
	markdown string
	keep     bool
	seed     uint64
	warmup   time.Duration // of a new server, before it is looked at
	calm     time.Duration
	seconds  int // of each load; 0 is as in the row
	takes    int
	only     string
	// slack is how much above that of the calm the client's p99 may be again after a load.
	slack time.Duration
}

// loadCommand makes this program the process of a load.
const loadCommand = "load"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := dispatch(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "abuse:", err)
		os.Exit(1)
	}
}

func dispatch(ctx context.Context) error {
	if len(os.Args) == 2 && os.Args[1] == loadCommand {
		return load.Main(ctx, os.Stdin, os.Stdout)
	}
	o := options{warmup: 2 * time.Second, slack: 20 * time.Millisecond}
	expression := flag.String("run", "", "only the rows that match this `expression`")
	list := flag.Bool("list", false, "list the rows, and do nothing")
	flag.StringVar(&o.zkine, "zkine", "", "the zkine `program` (default: this checkout's)")
	flag.StringVar(&o.dir, "dir", "", "where the data is kept (default: a temporary folder)")
	flag.StringVar(&o.markdown, "markdown", "", "write the report to this `file`, too")
	flag.BoolVar(&o.keep, "keep", false, "keep the folder with the servers' logs")
	flag.Uint64Var(&o.seed, "seed", rand.Uint64(), "makes the random bytes")
	flag.DurationVar(&o.calm, "calm", 8*time.Second, "how long the client is watched before the load")
	flag.IntVar(&o.seconds, "seconds", 0, "how many `seconds` each load goes on (default: as the row says)")
	flag.IntVar(&o.takes, "takes", 3, "how often a row that is missed is taken before it counts: others may use the machine")
	flag.StringVar(&o.only, "only", "", "only this `server`, zkine or etcd, and no verdicts")
	flag.Parse()
	if flag.NArg() > 0 {
		return fmt.Errorf("what is %q?", flag.Arg(0))
	}
	var err error
	if o.run, err = regexp.Compile(*expression); err != nil {
		return fmt.Errorf("-run: %w", err)
	}
	if *list {
		for _, r := range o.rows() {
			fmt.Printf("%-20s %s\n", r.name, r.what)
		}
		return nil
	}
	return measure(ctx, o, os.Stdout)
}

// rows are those that are wanted.
func (o options) rows() (wanted []row) {
	for _, r := range rows {
		if o.run.MatchString(r.name) {
			wanted = append(wanted, r)
		}
	}
	return wanted
}

// duration is how long a row's load goes on.
func (o options) duration(r row) time.Duration {
	if o.seconds > 0 {
		return time.Duration(o.seconds) * time.Second
	}
	return time.Duration(r.seconds) * time.Second
}

// measure takes all wanted rows and reports them.
func measure(ctx context.Context, o options, out io.Writer) (err error) {
	if len(o.rows()) == 0 {
		return errors.New("-run matches no row: -list shows them")
	}
	o.dir, err = os.MkdirTemp(o.dir, "zkine-abuse-")
	if err != nil {
		return err
	}
	if o.keep {
		fmt.Fprintln(os.Stderr, "logs are kept in", o.dir)
	} else {
		defer os.RemoveAll(o.dir)
	}
	about, err := machine.Describe(o.dir)
	if err != nil {
		return err
	}
	s, err := newStage(ctx, o.dir, o.zkine)
	if err != nil {
		return err
	}
	defer s.zooKeepers.Kill()
	r := &report{about: about, seed: o.seed}
	p := newProgress(os.Stderr, len(o.rows()))
	var broke error
	for _, row := range o.rows() {
		if broke = r.take(ctx, s, o, row, p); broke != nil {
			break // what was taken before is worth a report
		}
	}
	p.end()
	if err := r.print(out); err != nil {
		return err
	}
	if o.markdown != "" {
		if err := r.write(o.markdown); err != nil {
			return err
		}
	}
	return errors.Join(broke, r.missed())
}

// logOf is where a server's output goes.
func logOf(dir string) string { return filepath.Join(dir, "log") }
