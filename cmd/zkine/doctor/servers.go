package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// servers looks whether each server answers and grants sessions, and what it is.
func servers(_ context.Context, p *patient) []Finding {
	if len(p.servers) == 0 {
		return []Finding{{Level: Problem, Thing: strings.Join(p.cfg.Ensemble.Servers, ","), What: "no name leads to an address",
			Why: "without ZooKeeper nothing is served", Remedy: "check --zookeeper, and the name server"}}
	}
	return p.each(func(s *server) []Finding { return []Finding{judgeServer(s)} })
}

func judgeServer(s *server) Finding {
	f := Finding{Level: Problem, Thing: s.String()}
	switch mode := s.mode(); {
	case !s.answered():
		f.What, f.Why = "it gives no session: "+plainly(s.sessionErr), "each server that is away brings the ensemble nearer to losing its majority, and then nothing is written"
		f.Remedy = "start it, or correct --zookeeper; see its log"
	case errors.Is(s.words["srvr"].err, errNotServing):
		f.What, f.Why = "it runs, and does not serve: it sees no majority of the ensemble", "nothing is written through it, and nothing at all if all servers say so"
		f.Remedy = "see its log for the servers that it cannot reach, and start these"
	case mode == "read-only":
		f.What, f.Why = "it is read-only: it was cut off from the majority, and serves what it had then", "zkine takes no session with it, since what it shows may be old"
		f.Remedy = "connect it to the other servers again; leave readonlymode.enabled out"
	case s.session == nil:
		f.What, f.Why = "it answers, and gives zkine no session: "+plainly(s.sessionErr), "zkine cannot use it"
		f.Remedy = "see its log"
	case mode == "observer":
		f.Level, f.What = Advice, "it is an observer"
		f.Why = "it has no vote, so that each write takes a hop more through it, and what it shows lags behind"
		f.Remedy = "name the voting servers in --zookeeper, and observers only where no other is near"
	case mode == "":
		return ok(s.String(), "it grants sessions")
	default:
		return ok(s.String(), "it serves as %s", mode)
	}
	return f
}

// words looks which four-letter words each server takes.
func words(_ context.Context, p *patient) []Finding {
	return p.each(func(s *server) []Finding {
		var refused, silent []string
		for _, word := range asked {
			switch err := s.words[word].err; {
			case errors.Is(err, errNotAllowed):
				refused = append(refused, word)
			case err != nil:
				silent = append(silent, word)
			}
		}
		switch {
		case len(silent) == len(asked):
			return []Finding{unknown(s.String(), "it could not be looked at: %s", plainly(s.words[asked[0]].err))}
		case len(refused) == 0:
			return []Finding{ok(s.String(), "it takes %s", strings.Join(asked, ", "))}
		case s.local && !slices.Contains(refused, "srvr"): // each user of this machine may ask
			return []Finding{ok(s.String(), "it takes all that are asked but %s, which zkine keeps closed", strings.Join(refused, ", "))}
		case slices.Equal(refused, []string{"conf"}): // which tells paths, and so is left out by some
			return []Finding{ok(s.String(), "it takes all that are asked but conf, which tells limits and sizes")}
		}
		f := Finding{Level: Advice, Thing: s.String(), What: "it does not take " + strings.Join(refused, ", "),
			Why:    "what only these tell cannot be looked at: mntr has fsync and sessions, conf limits and sizes, envi the heap",
			Remedy: fmt.Sprintf("4lw.commands.whitelist=%s in zoo.cfg", strings.Join(asked, ","))}
		if refused[0] == "srvr" {
			f.Level = Problem
			f.Why = "zkine finds the leader by srvr, to which its writes go, and the version; " + f.Why
		}
		return []Finding{f}
	})
}
