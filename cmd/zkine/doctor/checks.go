package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// check is one thing that is looked at.
type check struct {
	name string
	// about says in a few words what is looked at, for people.
	about string
	// needs is what the check cannot do without.
	needs need
	look  func(context.Context, *patient) []Finding
}

// need is what a check needs of a patient.
type need int

const (
	needsServers need = iota // a ZooKeeper to be named
	needsSession             // one that grants a session
	needsRoot                // and that holds a zkine's root
	needsMembers             // zkines that serve
)

// checks is the table, in the order of the report.
var checks = []check{
	{"versions", "versions that are known to lose data", needsServers, versions},
	{"servers", "each server answers, has a quorum behind it, and votes", needsServers, servers},
	{"words", "the four-letter words that zkine and this doctor use are allowed", needsServers, words},
	{"ensemble", "the list names all servers, and they are enough", needsServers, ensemble},
	{"quorum", "how long a write takes that a majority has on disk", needsSession, quorum},
	{"fsync", "writes are on disk when they are acknowledged, and how long that takes", needsSession, fsync},
	{"clock", "clocks of servers, members and this machine", needsSession, clock},
	{"request", "requests as large as zkine sends them", needsServers, request},
	{"session", "the session timeout that is granted", needsServers, session},
	{"local-sessions", "sessions are the ensemble's, not one server's", needsServers, localSessions},
	{"tls", "connections to ZooKeeper are encrypted, and certificates last", needsServers, encryption},
	{"acl", "who may touch the znodes", needsSession, access},
	{"znode-quota", "ZooKeeper's own quotas on the root and above it", needsSession, znodeQuota},
	{"heap", "the servers' heap holds what the quota allows", needsServers, heap},
	{"disk", "old snapshots and logs are removed, and the log has a disk of its own", needsServers, disk},
	{"connections", "connections that a server takes from one address", needsServers, connections},
	{"settings", "settings worth having", needsServers, worthHaving},
	{"root", "what the root holds may be served", needsSession, root},
	{"housekeeping", "the log is kept short", needsRoot, housekeeping},
	{"members", "each zkine that is listed answers", needsMembers, members},
	{"ready", "each zkine serves linearizable reads and writes", needsMembers, ready},
	{"lag", "each zkine keeps up with the log", needsMembers, lag},
	{"alarms", "alarms and errors that zkines tell of", needsMembers, alarms},
	{"quota", "how much of the quota is used", needsMembers, quota},
}

// Names are those of all checks, with what each looks at.
func Names() (names, about []string) {
	for _, c := range checks {
		names, about = append(names, c.name), append(about, c.about)
	}
	return names, about
}

// patience bounds one check.
const patience = 30 * time.Second

// Run looks at everything that the configuration names. Error: the end of ctx.
func Run(ctx context.Context, cfg Config) (*Report, error) {
	report := &Report{Time: cfg.now().UTC(), Zkine: cfg.Version, Root: cfg.Root}
	cfg.progress("asking the servers", 0, len(checks)+1)
	p := newPatient(ctx, cfg)
	defer p.close()
	for i, c := range checks {
		if slices.Contains(cfg.Ignore, c.name) {
			continue
		}
		cfg.progress(c.about, i+1, len(checks)+1)
		for _, f := range p.run(ctx, c) {
			f.Check = c.name
			report.Findings = append(report.Findings, f)
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
	}
	report.Blind = p.blind()
	return report, nil
}

// errSlow ends a check that takes too long.
var errSlow = errors.New("it took too long")

// run is one check, or why it cannot be done.
func (p *patient) run(ctx context.Context, c check) []Finding {
	if why := p.lacks(c.needs); why != "" {
		return []Finding{unknown("", "it could not be looked at: %s", why)}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("%w: more than %v", errSlow, patience))
	defer cancel()
	found := c.look(ctx, p)
	if len(found) == 0 {
		return []Finding{unknown("", "it could not be looked at: no server tells")}
	}
	return found
}

// lacks says what is missing that a check needs; "" for nothing.
func (p *patient) lacks(n need) string {
	if n == needsMembers {
		switch {
		case errors.Is(p.rootErr, errNoCluster) && len(p.members) == 0:
			return plainly(p.rootErr)
		case len(p.members) > 0:
			return ""
		case p.rootErr != nil && p.session != nil:
			return "no zkine is known: " + plainly(p.rootErr)
		case p.session == nil && len(p.cfg.Endpoints) == 0 && p.sessionErr != nil:
			return "no zkine is known, since there is no session with ZooKeeper that lists them; name some with --endpoints"
		}
		return "no zkine is listed under the root: none is running"
	}
	switch {
	case p.cfg.Ensemble == nil:
		return "no ZooKeeper is named; add --zookeeper"
	case n >= needsSession && p.session == nil:
		return "there is no session with ZooKeeper: " + plainly(p.sessionErr)
	case n >= needsRoot && p.rootErr != nil:
		return plainly(p.rootErr)
	}
	return ""
}
