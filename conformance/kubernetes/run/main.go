package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"
)

// options are the command line's.
type options struct {
	store    string // zkine or etcd
	race     bool
	busy     bool
	run      string // a pattern of tests, as go test has it; "" for all
	count    int
	parallel int // packages at a time
	timeout  time.Duration
	verbose  bool
	packages []string // what is after the flags, below k8s.io/apiserver/pkg; none for all
}

// The stores that tests can run on.
const (
	storeZkine = "zkine"
	storeEtcd  = "etcd"
)

// errVerdict is a run that came to its end, and whose table says what is wrong.
var errVerdict = errors.New("not everything passed")

func main() {
	o := options{}
	flag.StringVar(&o.store, "store", storeZkine, "what the tests run on: zkine, or etcd as upstream has it")
	flag.BoolVar(&o.race, "race", true, "with the race detector")
	flag.BoolVar(&o.busy, "busy", false, "zkines cut, pack, checkpoint and trim their logs all the time")
	flag.StringVar(&o.run, "run", "", "only tests that match this `pattern`, as for go test")
	flag.IntVar(&o.count, "count", 1, "run all `n` times, each time in new processes")
	flag.IntVar(&o.parallel, "p", runtime.GOMAXPROCS(0), "build and test `n` packages at a time")
	flag.DurationVar(&o.timeout, "timeout", 30*time.Minute, "end a package's tests after this time")
	flag.BoolVar(&o.verbose, "v", false, "print what the tests print")
	flag.Usage = usage
	flag.Parse()
	o.packages = flag.Args()
	if o.count < 1 || o.parallel < 1 {
		fmt.Fprintln(os.Stderr, "run: -count and -p are at least 1")
		os.Exit(2)
	}
	if o.store != storeZkine && o.store != storeEtcd {
		fmt.Fprintf(os.Stderr, "run: -store is %s or %s, not %q\n", storeZkine, storeEtcd, o.store)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "run:", err)
		os.Exit(1)
	}
}

func usage() {
	out := flag.CommandLine.Output()
	fmt.Fprintln(out, "usage: go run ./run [flags] [package...]\n\nPackages are named below k8s.io/apiserver/pkg; by default these are tested:")
	for _, s := range suites {
		fmt.Fprintln(out, "  "+s.name)
	}
	fmt.Fprintln(out, "\nflags:")
	flag.PrintDefaults()
}

func run(ctx context.Context, o options) error {
	chosen, err := choose(o.packages)
	if err != nil {
		return err
	}
	m, err := findModules(ctx)
	if err != nil {
		return err
	}
	s, err := layOut(m, o.store)
	if err != nil {
		return err
	}
	defer s.unlock()
	var env []string
	if o.store == storeZkine {
		zoo, err := startZooKeeper(ctx)
		if err != nil {
			return err
		}
		defer zoo.stop()
		env = append(env, zookeeperVariable+"="+zoo.Addresses())
		if o.busy {
			env = append(env, busyVariable+"=1")
		}
	}
	began := time.Now()
	t, testErr := s.test(ctx, o, chosen, env)
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("interrupted; what was printed until then is in %s", s.events())
	}
	excused, err := readExcused(m.self)
	if err != nil {
		return err
	}
	v := judge(t, chosen, o, excused)
	report(os.Stdout, t, chosen, v, o, time.Since(began))
	if len(v.wrong) > 0 {
		return fmt.Errorf("%w; all that the tests printed is in %s", errVerdict, s.events())
	}
	// go test has failed though no test did.
	return testErr
}
