package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/zkine/zkine/conformance/bench/contender"
	"github.com/zkine/zkine/conformance/bench/machine"
	"github.com/zkine/zkine/conformance/rig"
)

// measure starts the contenders, takes all points and stops them.
func measure(ctx context.Context, o options) (records []record, err error) {
	some := chosen(o.run, o.clients)
	startToo := len(o.clients) == 0 && slices.ContainsFunc([]string{startEmpty, startFilled, startJoin}, o.run.MatchString)
	if len(some) == 0 && !startToo {
		return nil, fmt.Errorf("nothing to measure matches %q", o.run)
	}
	programs, err := contender.Find(ctx, o.zkine)
	if err != nil {
		return nil, err
	}
	programs.Before = o.before
	dir, err := folder(o.dir)
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	j, err := openJournal(o.out)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, j.close()) }()
	about, err := machine.Describe(dir)
	if err != nil {
		return nil, err
	}
	progress("%s", about)
	if err := j.add(record{Machine: about}); err != nil {
		return nil, err
	}
	if startToo {
		s := &starter{programs: programs, journal: j, options: o}
		if err := s.take(ctx, filepath.Join(dir, "starts")); err != nil {
			return j.records, err
		}
	}
	b := &bench{options: o, programs: programs, journal: j, filled: make(map[string]bool)}
	// Those that start what they measure come first: nothing else runs then.
	some, fresh := split(some)
	if err := b.takeAllFresh(ctx, fresh, filepath.Join(dir, "fresh")); err != nil {
		return j.records, err
	}
	stage := &contender.Stage{Programs: programs, Dir: dir}
	defer func() { err = errors.Join(err, stage.Stop(ctx)) }()
	for _, name := range o.contenders {
		if !slices.ContainsFunc(some, func(p point) bool { return p.takes(name) }) {
			continue
		}
		c, err := stage.Start(ctx, name)
		if err != nil {
			return nil, err
		}
		b.contenders = append(b.contenders, c)
	}
	if err := b.warm(ctx); err != nil {
		return nil, err
	}
	for _, p := range some {
		if err := b.take(ctx, p); err != nil {
			return j.records, err
		}
	}
	return j.records, nil
}

// takeAllFresh takes the points that start what they measure.
func (b *bench) takeAllFresh(ctx context.Context, fresh []point, dir string) (err error) {
	for len(fresh) > 0 {
		n := 1
		if fresh[0].phase != "" { // a recording's phases are replayed together
			for n < len(fresh) && fresh[n].workload == fresh[0].workload {
				n++
			}
			err = b.takeReplay(ctx, fresh[:n], dir)
		} else {
			err = b.takeFresh(ctx, fresh[0], dir)
		}
		if err != nil {
			return err
		}
		fresh = fresh[n:]
	}
	return nil
}

// takes tells whether a point is measured on a contender of this name.
func (p point) takes(name string) bool {
	return slices.Contains(p.on, contender.KindOf(name)) || slices.Contains(p.only, name)
}

// folder makes a new one for this run's data.
func folder(parent string) (string, error) {
	if parent == "" {
		root, err := rig.Checkout()
		if err != nil {
			return "", err
		}
		parent = filepath.Join(root, ".cache", "bench")
	}
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return "", err
	}
	return os.MkdirTemp(parent, "run-")
}

// progress tells whoever waits.
func progress(format string, args ...any) {
	fmt.Fprintln(os.Stderr, time.Now().Format("15:04:05"), strings.TrimSpace(fmt.Sprintf(format, args...)))
}
