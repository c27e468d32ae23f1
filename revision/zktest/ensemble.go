package zktest

import (
	"cmp"
	"context"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/zkine/zkine/revision/embedded"
)

// Ensemble is several ZooKeepers with a leader among them, each a Server that can be killed, paused and restarted.
type Ensemble struct {
	Servers []*Server
	t       testing.TB
}

// Place is where a server of an ensemble runs.
type Place struct {
	// Host is its address; "" is the loopback address.
	Host string
	// Enter puts the thread that starts the server into the place; nil if there is nothing to do.
	Enter func() error
	// Dir is the folder for its data; "" is a new one of the test's.
	Dir string
	// Observer makes it one that has no vote.
	Observer bool
}

// StartEnsemble starts an ensemble of n servers and returns when all of them serve.
func StartEnsemble(t testing.TB, n int, opts ...Option) *Ensemble {
	t.Helper()
	return StartEnsembleAt(t, make([]Place, n), opts...)
}

// StartEnsembleAt starts an ensemble of one server at each place and returns when all of them serve.
func StartEnsembleAt(t testing.TB, places []Place, opts ...Option) *Ensemble {
	t.Helper()
	var peers []embedded.Peer
	for i, p := range places {
		peers = append(peers, embedded.Peer{ID: i + 1, Host: p.Host, QuorumPort: freePort(t), ElectionPort: freePort(t), Observer: p.Observer})
	}
	e := &Ensemble{t: t}
	dir := t.TempDir()
	for i, place := range places {
		s := newServer(t, cmp.Or(place.Dir, filepath.Join(dir, strconv.Itoa(i+1))), opts)
		s.cfg.Host, s.cfg.Enter = place.Host, place.Enter
		s.cfg.Ensemble = &embedded.Ensemble{ID: i + 1, Peers: peers}
		e.Servers = append(e.Servers, s)
	}
	e.Restart()
	return e
}

// Addrs are the addresses of all servers, running or not.
func (e *Ensemble) Addrs() []string {
	var addrs []string
	for _, s := range e.Servers {
		addrs = append(addrs, s.Addr())
	}
	return addrs
}

// Restart starts every server, killing first what runs, and returns when all of them serve.
func (e *Ensemble) Restart() {
	e.t.Helper()
	for _, s := range e.Servers {
		s.launch()
	}
	for _, s := range e.Servers {
		s.Ready()
	}
}

// Leader waits until one of the running servers leads, and returns it. Do not call it while one is paused: asking
// it takes two seconds then.
func (e *Ensemble) Leader() *Server {
	e.t.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		for _, s := range e.Servers {
			if s.Mode() == "leader" {
				return s
			}
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			e.t.Fatal("zktest: the ensemble has no leader")
		}
	}
}

// Follower waits until there is a leader and a server that follows it, and returns the first such server.
func (e *Ensemble) Follower() *Server {
	e.t.Helper()
	leader := e.Leader()
	for _, s := range e.Servers {
		if s != leader && s.Running() {
			s.Ready()
			return s
		}
	}
	e.t.Fatal("zktest: no server of the ensemble follows")
	return nil
}
