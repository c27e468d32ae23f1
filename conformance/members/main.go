package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"time"
)

// options are what the flags say.
type options struct {
	rounds    int
	duration  time.Duration // of a round
	writes    int           // to begin with
	valueSize int           // bytes
	dir       string
	churn     time.Duration
}

func main() {
	var o options
	flag.IntVar(&o.rounds, "rounds", 5, "how often each measurement is taken")
	flag.DurationVar(&o.duration, "duration", 5*time.Second, "how long a round lasts")
	flag.IntVar(&o.writes, "writes", 10_000, "writes to begin with")
	flag.IntVar(&o.valueSize, "value-size", 256, "`bytes` of a value")
	flag.StringVar(&o.dir, "dir", "", "where the data is kept, on a disk that is to be measured (default: a temporary folder)")
	flag.DurationVar(&o.churn, "churn", 0, "have everything come and go for so long, and look whether memory is steady")
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
	p, err := findPrograms(ctx)
	if err != nil {
		return err
	}
	if err := describe(out, dir); err != nil {
		return err
	}
	if o.churn > 0 {
		return churn(ctx, o, p, dir, out)
	}
	return measureMembers(ctx, o, p, dir, out)
}

// describe says on what the numbers were taken.
func describe(out io.Writer, dir string) error {
	sync, err := fsyncTime(dir)
	if err != nil {
		return err
	}
	load, _ := os.ReadFile("/proc/loadavg") // not everywhere
	_, err = fmt.Fprintf(out, "%d processors, fsync of 4 KiB takes %v (median of %d), load before: %s\n",
		runtime.NumCPU(), round(sync), fsyncs, bytes.TrimSpace(load))
	return err
}

const fsyncs = 100

// fsyncTime is how long the disk takes to make a small write last.
func fsyncTime(dir string) (time.Duration, error) {
	f, err := os.Create(filepath.Join(dir, "fsync"))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	var times []time.Duration
	for range fsyncs {
		if _, err := f.Write(make([]byte, 4096)); err != nil {
			return 0, err
		}
		began := time.Now()
		if err := f.Sync(); err != nil {
			return 0, err
		}
		times = append(times, time.Since(began))
	}
	return percentile(times, 50), nil
}

// percentile sorts the times.
func percentile(times []time.Duration, p int) time.Duration {
	slices.Sort(times)
	return times[min(len(times)*p/100, len(times)-1)]
}

// round leaves three digits.
func round(d time.Duration) time.Duration {
	unit := time.Duration(1)
	for d/unit >= 1000 {
		unit *= 10
	}
	return d.Round(unit)
}
