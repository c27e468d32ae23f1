package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/zkine/zkine/conformance/bench/machine"
	"github.com/zkine/zkine/conformance/rig"
)

// options are what the flags say.
type options struct {
	rounds    int
	duration  time.Duration // of a round
	writes    int           // to begin with
	valueSize int           // bytes
	dir       string
	churn     time.Duration
	cost      bool
	program   string // a zkine that is built already
	before    string
	only      string // of the loads of a cost
}

func main() {
	var o options
	flag.IntVar(&o.rounds, "rounds", 5, "how often each measurement is taken")
	flag.DurationVar(&o.duration, "duration", 5*time.Second, "how long a round lasts")
	flag.IntVar(&o.writes, "writes", 10_000, "writes to begin with")
	flag.IntVar(&o.valueSize, "value-size", 256, "`bytes` of a value")
	flag.StringVar(&o.dir, "dir", "", "where the data is kept, on a disk that is to be measured (default: a temporary folder)")
	flag.DurationVar(&o.churn, "churn", 0, "have everything come and go for so long, and look whether memory is steady")
	flag.BoolVar(&o.cost, "cost", false, "count what a write costs at ZooKeeper")
	flag.StringVar(&o.only, "only", "", "with -cost: the loads whose name has this in it")
	flag.StringVar(&o.program, "program", "", "a `zkine` that is built already (default: this checkout's)")
	flag.StringVar(&o.before, "before", "", "with -cost: another `zkine` that takes its turns")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := measure(ctx, o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "members:", err)
		os.Exit(1)
	}
}

func measure(ctx context.Context, o options, out io.Writer) error {
	dir, err := os.MkdirTemp(o.dir, "zkine-members-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	program := o.program
	if program == "" {
		if program, err = rig.BuildZkine(ctx); err != nil {
			return err
		}
	}
	about, err := machine.Describe(dir)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, about)
	if o.churn > 0 {
		return churn(ctx, o, program, dir, out)
	}
	if o.cost {
		return measureCost(ctx, o, program, dir, out)
	}
	return measureMembers(ctx, o, program, dir, out)
}

// percentile sorts the times.
func percentile(times []time.Duration, p int) time.Duration {
	slices.Sort(times)
	return times[min(len(times)*p/100, len(times)-1)]
}
