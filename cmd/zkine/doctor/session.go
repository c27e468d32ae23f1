package doctor

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// leastSession is the session timeout in which zkine still has room for a pause of a
// JVM and an election.
const leastSession = 4 * time.Second

// session looks what each server grants of what zkine asks for.
func session(_ context.Context, p *patient) []Finding {
	return p.each(func(s *server) []Finding {
		if s.session == nil {
			return []Finding{unknown(s.String(), "it could not be looked at: %s", plainly(s.sessionErr))}
		}
		asks, granted := p.cfg.SessionTimeout, s.session.SessionTimeout()
		bounds := ""
		if least, most := s.value("conf", "minSessionTimeout"), s.value("conf", "maxSessionTimeout"); least != "" {
			bounds = fmt.Sprintf(" (it grants %s to %s ms)", least, most)
		}
		f := Finding{Level: Advice, Thing: s.String(), What: fmt.Sprintf("it grants a session of %v, and zkine asks for %v%s", granted, asks, bounds),
			Why: "a session lasts from 2 to 20 of tickTime, unless minSessionTimeout and maxSessionTimeout say otherwise", Remedy: fmt.Sprintf("set tickTime so that it grants what is asked for, or --zookeeper-session-timeout=%v", granted)}
		switch {
		case granted < leastSession && granted < asks:
			f.Level, f.Why = Problem, "a pause of that length, of a machine or of ZooKeeper, costs zkine its session, and it takes its clients along; "+f.Why
			return []Finding{f}
		case granted > asks:
			f.Why = "a zkine that died stays listed for so long; " + f.Why
			return []Finding{f}
		case granted < asks:
			return []Finding{f}
		}
		return []Finding{ok(s.String(), "it grants the session of %v that zkine asks for%s", granted, bounds)}
	})
}

// localSessions looks whether servers give sessions that they alone know of.
func localSessions(ctx context.Context, p *patient) []Finding {
	return p.each(func(s *server) []Finding {
		if s.session == nil {
			return []Finding{unknown(s.String(), "it could not be looked at: %s", plainly(s.sessionErr))}
		}
		f := Finding{Level: Problem, Thing: s.String(), What: "it gives local sessions",
			Why:    "the leader then takes writes of sessions that it does not know, also of one that another server has ended: what zkine writes last may land after its session is over, and its member's znode cannot be made, or only late",
			Remedy: "leave localSessionsEnabled out of zoo.cfg on all servers"}
		if value, source, known := p.setting(s, "localSessionsEnabled"); known && value == "true" {
			f.What += ", by " + source
			return []Finding{f}
		}
		// The session of this doctor would be one of them. One that has made an ephemeral
		// znode is none any more, so it is asked before.
		now := s.ask(ctx, "mntr")
		if n := now.values["zk_local_sessions"]; n != "" && n != "0" {
			return []Finding{f}
		}
		_, remove, err := p.scratch(ctx, s.session)
		switch {
		case err != nil && strings.Contains(err.Error(), "local session"):
			return []Finding{f}
		case err != nil && now.err != nil:
			return []Finding{unknown(s.String(), "it could not be looked at: %s; nor does it take mntr: %s", plainly(err), plainly(now.err))}
		case err == nil:
			remove()
		}
		if now.err != nil {
			return []Finding{ok(s.String(), "its session can have an ephemeral znode; whether it was a local one before only mntr tells, which it does not take")}
		}
		return []Finding{ok(s.String(), "its sessions are the ensemble's")}
	})
}
