package contender

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/zkine/zkine/conformance/rig"
)

// Kind is which requests a contender understands.
type Kind string

// The kinds.
const (
	Zkine Kind = "zkine"
	Etcd  Kind = "etcd"
	Kine  Kind = "kine" // some shapes of transactions and no serializable reads
	Bare  Kind = "bare" // ZooKeeper's protocol
	// Secure is a zkine whose ZooKeepers are met by TLS; it takes the points that show what that costs.
	Secure Kind = "secure"
	// Leased is a zkine with --read-lease; it takes the points that show what that is worth, and what it costs.
	Leased Kind = "leased"
	// Plain is a zkine whose ZooKeepers have the settings of their makers; it takes the points that show what those cost.
	Plain Kind = "plain"
	// Named takes the points alone that name it.
	Named Kind = "named"
	// Own is a zkine with the ZooKeeper that it starts by itself.
	Own Kind = "own"
)

// Contender is something that runs and takes load.
type Contender struct {
	Name  string
	Title string // what it is, for people
	Kind  Kind

	servers []server
	// locate says where clients go.
	locate func(context.Context) (string, error)
	zkine  *rig.Zkine // nil for another kind
	// endpoints are those of several members, all equal to clients.
	endpoints []string
}

// StartAgain stops a zkine, but not its ZooKeepers, and starts it again, with all that it has stored. It does nothing to
// other kinds.
func (c *Contender) StartAgain(ctx context.Context) error {
	if c.zkine == nil {
		return nil
	}
	stopping, cancel := context.WithTimeout(ctx, stopLimit)
	defer cancel()
	if _, err := c.zkine.Stop(stopping); err != nil {
		return err
	}
	return c.zkine.Up(ctx)
}

// Endpoint is where clients go, host:port: of several members the one that leads now.
func (c *Contender) Endpoint(ctx context.Context) (string, error) { return c.locate(ctx) }

// at is a contender's only place.
func at(endpoint string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return endpoint, nil }
}

// server is a process that works for a contender.
type server interface {
	Pid() int
}

// Names are all contenders, in the order of the tables.
func Names() []string {
	var names []string
	for _, m := range makers {
		names = append(names, m.name)
	}
	return names
}

// KindOf is the kind of the contender of that name, "" when there is none.
func KindOf(name string) Kind {
	for _, m := range makers {
		if m.name == name {
			return m.kind
		}
	}
	return ""
}

// TitleOf says what the contender of that name is.
func TitleOf(name string) string {
	for _, m := range makers {
		if m.name == name {
			return m.title
		}
	}
	return ""
}

// makers start the contenders.
var makers = []struct {
	name, title string
	kind        Kind
	start       func(context.Context, *Stage, *Contender) error
}{
	{"zkine1", "zkine on one ZooKeeper", Zkine, startZkine(1)},
	{"before1", "the zkine before, on one ZooKeeper", Zkine, startBefore(1)},
	{"etcd1", "one etcd", Etcd, startEtcd(1)},
	{"zkine3", "zkine on three ZooKeepers", Zkine, startZkine(3)},
	{"before3", "the zkine before, on three ZooKeepers", Zkine, startBefore(3)},
	{"etcd3", "three etcds", Etcd, startEtcd(3)},
	{"zkine3-defaults", "zkine on three ZooKeepers, at Java's and ZooKeeper's own settings", Plain, startPlain(3)},
	{"zkine1-defaults", "zkine on one ZooKeeper, at Java's and ZooKeeper's own settings", Named, startPlain(1)},
	{"zkine3-lease", "zkine on three ZooKeepers, with --read-lease", Leased, startLeased(3)},
	{"zkine3-tls", "zkine on three ZooKeepers, by TLS and with ACLs", Secure, startSecure(3)},
	{"zkines3", "three zkines on three ZooKeepers", Named, startSeveral(3, 3)},
	{"zkine-own", "zkine with the ZooKeeper that it starts by itself", Own, startOwn},
	{"before-own", "the zkine before, with the ZooKeeper that it starts by itself", Own, startOwnBefore},
	{"kine", "kine on SQLite, its default: no fsync of commits", Kine, startKine("NORMAL")},
	{"kine-full", "kine on SQLite, synchronous=FULL", Kine, startKine("FULL")},
	{"bare1", "one ZooKeeper, bare", Bare, startBare(1)},
	{"bare3", "three ZooKeepers, bare", Bare, startBare(3)},
}

// Stage is where contenders are started, and stops what it has started.
type Stage struct {
	Programs Programs
	Dir      string // on the disk that is measured; the caller removes it

	ensembles map[int]*rig.ZooKeepers
	stops     []func(context.Context) error
}

// Start starts a contender and returns when it serves. The bare ZooKeepers are those that the zkines use: no two
// contenders are under load at once.
func (s *Stage) Start(ctx context.Context, name string) (*Contender, error) {
	for _, m := range makers {
		if m.name != name {
			continue
		}
		c := &Contender{Name: name, Title: m.title, Kind: m.kind}
		if err := m.start(ctx, s, c); err != nil {
			return nil, fmt.Errorf("start %s: %w", name, err)
		}
		return c, nil
	}
	return nil, fmt.Errorf("no contender %q: there are %q", name, Names())
}

// stopLimit bounds how long a stop may take.
const stopLimit = time.Minute

// Stop stops everything, last first.
func (s *Stage) Stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
	defer cancel()
	var all error
	for _, stop := range slices.Backward(s.stops) {
		all = errors.Join(all, stop(ctx))
	}
	s.stops = nil
	return all
}

// stopLater has Stop end a process.
func (s *Stage) stopLater(p *rig.Process) {
	s.stops = append(s.stops, func(ctx context.Context) error {
		_, err := p.Stop(ctx)
		return err
	})
}

func (s *Stage) folder(name string) (string, error) {
	dir := filepath.Join(s.Dir, name)
	return dir, os.MkdirAll(dir, 0o700)
}

// Pids are the processes whose CPU time is the contender's.
func (c *Contender) Pids() []int {
	var pids []int
	for _, s := range c.servers {
		pids = append(pids, s.Pid())
	}
	return pids
}
