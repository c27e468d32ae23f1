package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/zkine/zkine/revision/embedded"
)

const (
	// stopTimeout is how long the local ZooKeeper may take to end.
	stopTimeout = 10 * time.Second
	// juteMaxBuffer is ZooKeeper's own limit on a request, in bytes.
	juteMaxBuffer = 1<<20 - 1
)

// startZooKeeper starts the local ZooKeeper and waits until it serves.
func startZooKeeper(ctx context.Context, cfg config, plan localPlan, log *logrus.Entry) (*embedded.Server, error) {
	found, err := embedded.Find(embedded.FindOptions{Candidates: zooKeeperHomes()})
	if err != nil {
		return nil, about("local ZooKeeper", err)
	}
	if bad := found.KnownBad(); bad != "" {
		log.Warn(bad)
	}
	log.Infof("no --zookeeper is given: starting a local ZooKeeper with its data in %s", cfg.dataDir)
	logFile := filepath.Join(cfg.dataDir, "zookeeper.log")
	defer logWhile(log, func() string { return "waiting for the local ZooKeeper to serve; what it says is in " + logFile })()
	server, err := embedded.Start(ctx, embedded.Config{
		Distribution:  found,
		DataDir:       cfg.dataDir,
		Heap:          plan.heap,
		MaxHeap:       plan.maxHeap,
		JuteMaxBuffer: juteFor(cfg.maxRequest),
		Logger:        log,
	})
	if errors.Is(err, embedded.ErrExited) {
		return nil, &problem{
			thing: "local ZooKeeper", what: "it exited before it served: " + causeLine(err.Error()),
			remedy: exitRemedy(err.Error(), cfg.dataDir) + "the whole story is in " + logFile,
		}
	}
	if errors.Is(err, embedded.ErrFolder) {
		return nil, folderProblem(cfg.dataDir, err)
	}
	if err != nil {
		return nil, about("local ZooKeeper", err)
	}
	return server, nil
}

// juteFor is the limit of a server that takes requests of this size; 0 for
// ZooKeeper's own.
func juteFor(maxRequest int) int {
	if need := maxRequest + maxRequest/8; need > juteMaxBuffer {
		return need
	}
	return 0
}

// zooKeeperHomes are where a ZooKeeper may lie besides $ZOOKEEPER_HOME and the
// system's jars: where make puts it in a checkout, and where people unpack it.
func zooKeeperHomes() []string {
	homes := []string{"/opt/zookeeper", "/usr/local/zookeeper"}
	if exe, err := os.Executable(); err == nil {
		homes = append([]string{filepath.Join(filepath.Dir(exe), "..", ".cache", "zookeeper")}, homes...)
	}
	return homes
}

// causeLine picks from the end of a Java program's log the line that is most
// likely the cause: the last that speaks of an error and is no part of a stack,
// nor ZooKeeper's farewell.
func causeLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for _, line := range slices.Backward(lines) {
		inStack := strings.HasPrefix(line, "\t") || strings.HasPrefix(line, " ") || strings.Contains(line, "Exiting JVM")
		if !inStack && (strings.Contains(line, "rror") || strings.Contains(line, "ERROR") || strings.Contains(line, "xception")) {
			return strings.TrimSpace(line)
		}
	}
	return strings.TrimSpace(lines[len(lines)-1])
}

func stopZooKeeper(server *embedded.Server, log *logrus.Entry) {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	if err := server.Stop(ctx); err != nil {
		log.Warn(err)
		return
	}
	log.Info("stopped the local ZooKeeper")
}
