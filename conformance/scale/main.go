package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/zkine/zkine/conformance/rig"
	"github.com/zkine/zkine/revision/embedded"
)

// options are what the flags say.
type options struct {
	only     string
	pods     int
	small    int // keys of 1 KiB in the small store
	large    int // and in the large one
	hours    int // simulated
	rounds   int
	duration time.Duration // of a round
	dir      string
	program  string
}

// bench is what every part needs.
type bench struct {
	options
	zkine        string // the program
	distribution *embedded.Distribution
	table        *table
}

// parts are measured in this order.
var parts = []struct {
	name string
	run  func(context.Context, *bench) error
}{
	{"pods", onOne(smallHeap, measurePods)},
	{"steady", onOne(smallHeap, measureSteady)},
	{"start", onOne(smallHeap, measureStart)},
	{"large", onOne(largeHeap, measureLarge)},
	{"failover", measureFailover},
}

func main() {
	var o options
	flag.StringVar(&o.only, "only", "", "the `parts` to measure: pods, steady, start, large, failover, with commas (default: all)")
	flag.IntVar(&o.pods, "pods", 100_000, "pods in the store whose bytes are counted")
	flag.IntVar(&o.small, "small", 100_000, "keys of 1 KiB in the store that part start starts")
	flag.IntVar(&o.large, "large", 1_000_000, "keys of 1 KiB in the parts large and failover")
	flag.IntVar(&o.hours, "hours", 24, "simulated hours of part steady")
	flag.IntVar(&o.rounds, "rounds", 5, "rounds of puts in part large; medians are shown")
	flag.DurationVar(&o.duration, "duration", 5*time.Second, "how long a round is")
	flag.StringVar(&o.dir, "dir", "", "where ZooKeeper keeps its data, on a disk that is to be measured (default: a temporary folder)")
	flag.StringVar(&o.program, "zkine", "", "the zkine to measure (default: this checkout's, built anew)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options, out io.Writer) error {
	wanted, err := choose(o.only)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(o.dir, "zkine-scale-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	o.dir = dir
	b := &bench{options: o, table: &table{}, zkine: o.program}
	if b.zkine == "" {
		if b.zkine, err = rig.BuildZkine(ctx); err != nil {
			return err
		}
	}
	if b.distribution, err = rig.FindZooKeeper(); err != nil {
		return err
	}
	for _, p := range parts {
		if !slices.Contains(wanted, p.name) {
			continue
		}
		began := time.Now()
		b.dir = filepath.Join(dir, p.name)
		err := p.run(ctx, b)
		fmt.Fprintf(os.Stderr, "part %s took %v\n", p.name, time.Since(began).Round(time.Second))
		if err := os.RemoveAll(b.dir); err != nil {
			return err
		}
		if err != nil {
			b.table.print(out) //nolint:errcheck // the part's error says more
			return fmt.Errorf("part %s: %w", p.name, err)
		}
	}
	fmt.Fprintf(out, "%d processors, %s\n\n", runtime.NumCPU(), b.distribution.Version)
	if err := b.table.print(out); err != nil {
		return err
	}
	if n := b.table.missed(); n > 0 {
		return fmt.Errorf("%d rows fall short", n)
	}
	return nil
}

func choose(only string) ([]string, error) {
	var all []string
	for _, p := range parts {
		all = append(all, p.name)
	}
	if only == "" {
		return all, nil
	}
	wanted := strings.Split(only, ",")
	for _, name := range wanted {
		if !slices.Contains(all, name) {
			return nil, fmt.Errorf("there is no part %q; choose from %s", name, strings.Join(all, ", "))
		}
	}
	return wanted, nil
}
