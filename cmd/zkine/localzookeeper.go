package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/sirupsen/logrus"

	"github.com/zkine/zkine/revision/embedded"
	"github.com/zkine/zkine/revision/zkacl"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zkclient/identity"
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
		p := about("local ZooKeeper", err)
		p.cause = err
		return nil, p
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

// localSecurity is how the local ZooKeeper is met by the zkine that serves: as
// the owner of all that is there.
func localSecurity(server *embedded.Server) security {
	return localAs(server, server.Credential())
}

// runningSecurity is localSecurity for a command that looks at a local ZooKeeper while
// a zkine serves from it.
func runningSecurity(server *embedded.Other) security { return localAs(server, server.Credential()) }

// superSecurity is localSecurity for a command, which finds the ACLs as they are:
// those of an earlier release, of a secret that was lost, or half moved.
func superSecurity(server *embedded.Server) security { return localAs(server, server.Superuser()) }

func localAs(server interface{ Owner() zk.ACL }, c identity.Credential) security {
	show := []identity.Credential{c}
	return security{credentials: func() []identity.Credential { return show }, acl: []zk.ACL{server.Owner()}}
}

// localSession is the session timeout while the local ZooKeeper is closed.
const localSession = 10 * time.Second

// closeLocal gives everything in the local ZooKeeper to its zkine alone, if that
// is not done: in a new one, in one of an earlier release, after its secret was
// replaced. It goes on until it is done, ctx ends, or ZooKeeper refuses it.
func closeLocal(ctx context.Context, server *embedded.Server, maxRequest int, log *logrus.Entry) error {
	zookeeper := superSecurity(server).secure(&zkclient.Ensemble{
		Servers: []string{server.Addr()}, Timeout: localSession, MaxRequest: maxRequest, Log: log,
	})
	var p closeProgress
	defer logWhile(log, p.String)()
	return keepTrying(ctx, log, "closing the local ZooKeeper to other users of this host begins again", func() (final bool, err error) {
		err = closeOnce(ctx, zookeeper, server, &p, log)
		if code := zkclient.CodeOf(err); code != nil && (code.Does == zkclient.Refuse || code.Does == zkclient.Stop) {
			return true, about("local ZooKeeper", err)
		}
		return false, err
	})
}

// closeProgress is how far closeLocal is, in znodes.
type closeProgress struct{ done, all atomic.Int64 }

func (p *closeProgress) String() string {
	return fmt.Sprintf("closing the local ZooKeeper to other users of this host: %d of %d znodes", p.done.Load(), p.all.Load())
}

func closeOnce(ctx context.Context, dialer zkclient.Dialer, server *embedded.Server, p *closeProgress, log *logrus.Entry) error {
	conn, err := dialer.Dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	super, err := zkacl.SessionOf(conn)
	if err != nil {
		return err
	}
	closed, err := zkacl.Closed(ctx, super, server.Owner())
	if closed || err != nil {
		return err
	}
	all, err := server.Znodes(ctx)
	if err != nil {
		log.WithError(err).Debug("the local ZooKeeper does not tell how many znodes it has")
	}
	began := time.Now()
	p.done.Store(0)
	p.all.Store(all)
	if err := zkacl.Close(ctx, super, server.Owner(), &p.done); err != nil {
		return err
	}
	log.Infof("closed the local ZooKeeper to other users of this host: %d znodes, in %v", p.done.Load(), time.Since(began).Round(time.Millisecond))
	return nil
}
