package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// options are the command line.
type options struct {
	store   string
	zkine   string
	bin     string
	work    string
	keep    bool
	seed    uint64
	soak    time.Duration
	losses  bool
	record  string
	timeout time.Duration
}

func main() {
	var o options
	flag.StringVar(&o.store, "store", "zkine", "what kube-apiserver keeps its state in: zkine, or etcd for comparison")
	flag.StringVar(&o.zkine, "zkine", filepath.Join("..", "bin", "zkine"), "path of zkine")
	flag.StringVar(&o.bin, "bin", filepath.Join("..", ".cache", "bin"), "folder of the programs that components/build.sh builds")
	flag.StringVar(&o.work, "work", "", "folder for data and logs, which must not exist; a temporary one by default")
	flag.BoolVar(&o.keep, "keep", false, "keep the work folder even if all is well")
	flag.Uint64Var(&o.seed, "seed", rand.Uint64(), "seed of the writers")
	flag.DurationVar(&o.soak, "soak", 0, "go on with random disruptions for so long; the caches are compared with the store after 5 to 8 minutes")
	flag.BoolVar(&o.losses, "losses", false, "only lose the leader of an ensemble of ZooKeepers, three times within 65 s")
	flag.StringVar(&o.record, "record", "", "run no checks: write what a deployment of 500 pods asks of an etcd to this `file`, for the bench")
	flag.DurationVar(&o.timeout, "timeout", 25*time.Minute, "limit of the whole run")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "kubesmoke: unexpected argument %q\n", flag.Arg(0))
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeoutCause(ctx, o.timeout, fmt.Errorf("the run took longer than %v", o.timeout))
	defer cancel()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "kubesmoke:", err)
		os.Exit(1)
	}
}

// run sets up, runs the checks and cleans up, whatever happened.
func run(ctx context.Context, o options) (err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go watchParent(ctx, cancel)
	if o.record != "" {
		return recordLoad(ctx, o)
	}
	c, dir, err := prepare(o)
	if err != nil {
		return err
	}
	fmt.Printf("kubesmoke: store %s, seed %d, logs in %s\n", o.store, o.seed, dir)
	s := &suite{ctx: ctx, out: os.Stdout}
	if o.losses {
		s.check(leaderLossCheck, checkLeaderLoss(dir, c.programs))
	} else {
		checks(s, c, o)
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	if n := s.failed(); n > 0 {
		err = errors.Join(err, fmt.Errorf("%d checks failed", n))
	}
	if err != nil {
		printTails(c)
	}
	cancel(errors.New("the run is over"))
	err = errors.Join(err, errors.Join(c.stop()...))
	if n, fault := sweepOrphans(); fault != nil || n > 0 {
		fmt.Printf("kubesmoke: %d processes had been left behind and were killed\n", n)
		err = errors.Join(err, fault)
	}
	err = errors.Join(err, s.summary())
	if err != nil || o.keep {
		fmt.Println("kubesmoke: data and logs are in", dir)
		return err
	}
	return os.RemoveAll(dir)
}

// prepare makes the work folder and all that has to be in it.
func prepare(o options) (*cluster, string, error) {
	if err := adoptOrphans(); err != nil {
		return nil, "", err
	}
	run, err := findPrograms(o)
	if err != nil {
		return nil, "", err
	}
	dir := o.work
	if dir == "" {
		dir, err = os.MkdirTemp("", "kubesmoke-")
	} else {
		err = os.Mkdir(dir, 0o755)
	}
	if err != nil {
		return nil, "", err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, "", err
	}
	describe := newZkine
	if o.store == "etcd" {
		describe = newEtcd
	}
	s, err := describe(dir, run.store)
	if err != nil {
		return nil, "", err
	}
	c, err := newCluster(dir, run, s)
	return c, dir, err
}

// findPrograms says what to do about those that are missing.
func findPrograms(o options) (programs, error) {
	bin, err := filepath.Abs(o.bin)
	if err != nil {
		return programs{}, err
	}
	zkine, err := filepath.Abs(o.zkine)
	if err != nil {
		return programs{}, err
	}
	p := programs{
		apiserver:         filepath.Join(bin, "kube-apiserver"),
		controllerManager: filepath.Join(bin, "kube-controller-manager"),
		scheduler:         filepath.Join(bin, "kube-scheduler"),
		kubectl:           filepath.Join(bin, "kubectl"),
		etcdctl:           filepath.Join(bin, "etcdctl"),
	}
	switch o.store {
	case "zkine":
		p.store = zkine
	case "etcd":
		p.store = filepath.Join(bin, "etcd")
	default:
		return p, fmt.Errorf("-store %q: there are zkine and etcd", o.store)
	}
	needed := []string{p.store, p.apiserver}
	if o.record == "" {
		needed = append(needed, p.kubectl, p.etcdctl)
	}
	if !o.losses {
		needed = append(needed, p.controllerManager, p.scheduler)
	}
	for _, path := range needed {
		if _, err := os.Stat(path); err != nil && path == zkine {
			return p, fmt.Errorf("%w: build zkine first", err)
		} else if err != nil {
			return p, fmt.Errorf("%w: run components/build.sh %s", err, filepath.Base(path))
		}
	}
	return p, nil
}

// watchParent ends the run when its parent has ended: a killed `go run` or make does not tell.
func watchParent(ctx context.Context, cancel context.CancelCauseFunc) {
	parent := os.Getppid()
	for pause(ctx, time.Second) {
		if os.Getppid() != parent {
			cancel(errors.New("the process that started the run has ended"))
			return
		}
	}
}
