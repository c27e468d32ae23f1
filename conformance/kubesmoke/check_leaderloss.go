package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/zkine/zkine/conformance/rig"
)

const (
	// lossesApart is how long after one leader the next is lost: frozen, killed, frozen, all within 65 s. An API
	// server goes on where its watches ended for 30 s after the first such end; ends 30 to 90 s apart make it rebuild
	// its caches.
	lossesApart = 20 * time.Second
	// settling is when the caches are counted again, after the first loss: a cache that is made anew takes its time.
	settling = 90 * time.Second
	// settled is for how long no cache must have been made until all are there.
	settled = 5 * time.Second
	// noLeaderLines is how often an API server may log "no leader" for all of it; it was 4,300 for each outage.
	noLeaderLines = 20
)

// leaderLoss is a control plane of its own on three ZooKeepers.
type leaderLoss struct {
	*cluster
	ensemble *rig.ZooKeepers
	note     []string
}

// checkLeaderLoss: leaders of ZooKeeper that are frozen, killed and frozen again within 65 s rebuild no watch cache of the API server.
func checkLeaderLoss(dir string, run programs) step {
	return func(ctx context.Context) (string, error) {
		l := &leaderLoss{}
		dir := filepath.Join(dir, "leader-loss")
		if err := os.Mkdir(dir, 0o755); err != nil {
			return "", err
		}
		err := l.start(ctx, dir, run)
		if err == nil {
			err = l.lose(ctx)
		}
		if err != nil && l.cluster != nil {
			printTail(l.apiserver.Log, 15)
			printTail(l.store.Log, 40)
		}
		if l.cluster != nil {
			err = errors.Join(err, stop(l.apiserver), stop(l.store.Process))
		}
		if l.ensemble != nil {
			l.ensemble.Kill()
		}
		return strings.Join(l.note, "; "), err
	}
}

func (l *leaderLoss) start(ctx context.Context, dir string, run programs) (err error) {
	if l.ensemble, err = startEnsemble(ctx, dir); err != nil {
		return err
	}
	s, err := newZkine(dir, run.store)
	if err != nil {
		return err
	}
	s.Args = append(s.Args, "--zookeeper", l.ensemble.Addresses(), "--zookeeper-root", "/smoke")
	s.embeds = ""
	if l.cluster, err = newCluster(dir, run, s); err != nil {
		return err
	}
	if err := s.up(ctx); err != nil {
		return err
	}
	if _, err := l.startAPIServer(ctx); err != nil {
		return err
	}
	return l.settle(ctx)
}

// settle waits until the API server has made all of its caches.
func (l *leaderLoss) settle(ctx context.Context) error {
	last, since := 0.0, time.Now()
	return until(ctx, serverStartLimit, "the caches are there", func(ctx context.Context) error {
		made, _, err := l.caches(ctx)
		if err != nil {
			return err
		}
		if made != last {
			last, since = made, time.Now()
		}
		if made == 0 || time.Since(since) < settled {
			return fmt.Errorf("%v so far", made)
		}
		return nil
	})
}

// caches counts how often one was made, and how often that failed.
func (l *leaderLoss) caches(ctx context.Context) (made, failed float64, err error) {
	text, err := l.api.text(ctx, "/metrics")
	if err != nil {
		return 0, 0, err
	}
	return total(samples(text, "apiserver_watch_cache_initializations_total", "resource")),
		total(samples(text, "apiserver_watch_cache_initialization_errors_total", "resource")), nil
}

func (l *leaderLoss) lose(ctx context.Context) error {
	made, failed, err := l.caches(ctx)
	if err != nil {
		return err
	}
	first := time.Now()
	for i, signal := range []syscall.Signal{syscall.SIGSTOP, syscall.SIGKILL, syscall.SIGSTOP} {
		pause(ctx, time.Until(first.Add(time.Duration(i)*lossesApart)))
		if err := l.loss(ctx, i, signal); err != nil {
			return err
		}
	}
	if err := l.ready(ctx, recoveryLimit); err != nil {
		return err
	}
	// What ended late shows late.
	pause(ctx, time.Until(first.Add(settling)))
	madeAfter, failedAfter, err := l.caches(ctx)
	if err != nil {
		return err
	}
	lines, err := count(l.apiserver.Log, "no leader")
	if err != nil {
		return err
	}
	l.note = append(l.note, fmt.Sprintf("%v caches, %v made again, %d lines \"no leader\"", made, madeAfter-made, lines))
	if madeAfter != made || failedAfter != failed {
		return fmt.Errorf("%v caches were made again, %v times that failed", madeAfter-made, failedAfter-failed)
	}
	if lines > noLeaderLines {
		return fmt.Errorf("%d lines \"no leader\" in %s", lines, l.apiserver.Log)
	}
	return nil
}

// loss takes the leader away and waits until a write is acknowledged again; a frozen one goes on then.
func (l *leaderLoss) loss(ctx context.Context, i int, signal syscall.Signal) error {
	how := "killed"
	if signal == syscall.SIGSTOP {
		how = "frozen"
	}
	leader, err := l.ensemble.Leader(ctx)
	if err != nil {
		return err
	}
	at := time.Now()
	leader.Signal(signal)
	defer leader.Signal(syscall.SIGCONT)
	err = until(ctx, recoveryLimit, "a write is acknowledged", func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		err := l.api.create(ctx, "/api/v1/namespaces", namespace(fmt.Sprintf("loss-%d", i)), nil)
		if refused(err, 409) {
			return nil // one that was not answered
		}
		return err
	})
	l.note = append(l.note, fmt.Sprintf("%s: written again after %s", how, short(time.Since(at))))
	return err
}

func namespace(name string) map[string]any {
	return map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]string{"name": name}}
}

// count counts the lines of a file that contain a text.
func count(path, text string) (n int, err error) {
	content, err := os.ReadFile(path)
	for line := range strings.Lines(string(content)) {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n, err
}
