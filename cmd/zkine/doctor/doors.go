package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zkacl"
	"github.com/zkine/zkine/revision/zkroot"
)

// Certificates that end within these are told.
const (
	endsSoon     = 7 * 24 * time.Hour
	endsSomewhen = 30 * 24 * time.Hour
)

// encryption looks who could read along, and whether certificates last.
func encryption(ctx context.Context, p *patient) []Finding {
	return p.each(func(s *server) []Finding {
		if p.cfg.Ensemble.TLS == nil {
			if onLoopback(s.Name()) {
				return []Finding{ok(s.String(), "without TLS, on this machine's loopback interface")}
			}
			return []Finding{{Level: Problem, Thing: s.String(), What: "it is reached without TLS",
				Why:    "who is on the way reads and alters every key, and zkine's password if it has one",
				Remedy: "name the servers' secureClientPort, with --zookeeper-trusted-ca-file and --zookeeper-cert-file; docs/security.md"}}
		}
		certificate, err := s.Certificate(ctx)
		if err != nil {
			return []Finding{unknown(s.String(), "its certificate could not be looked at: %s", plainly(err))}
		}
		found := []Finding{judgeEnd(s.String(), certificate.NotAfter, p.cfg.now())}
		if port, told := s.number("conf", "clientPort"); told && port > 0 {
			found = append(found, Finding{Level: Advice, Thing: s.String(), What: fmt.Sprintf("beside TLS it also serves without, at port %.0f", port),
				Why: "who reaches that port needs no certificate, and only ACLs keep it from the keys", Remedy: "leave clientPort out of zoo.cfg once all use secureClientPort"})
		}
		return found
	})
}

// judgeEnd judges until when a certificate is valid.
func judgeEnd(thing string, end, now time.Time) Finding {
	left := end.Sub(now)
	f := Finding{Level: Problem, Thing: thing, What: fmt.Sprintf("its certificate ends in %v, at %s", left.Round(time.Hour), end.UTC().Format(time.RFC3339)),
		Why: "from then on no zkine gets a connection to it", Remedy: "renew it; the server reads it again by itself with client.certReload=true"}
	switch {
	case left > endsSomewhen:
		return ok(thing, "its certificate is valid until %s", end.UTC().Format(time.RFC3339))
	case left > endsSoon:
		f.Level = Advice
	}
	return f
}

func onLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// away is a server that is not on the loopback interface; "" if all are.
func (p *patient) away() string {
	for _, s := range p.servers {
		if !onLoopback(s.Name()) {
			return s.String()
		}
	}
	return ""
}

const remedyACL = "once all zkines of the root have this --zookeeper-acl, run zkine acl apply with the same flags"

// access looks who may touch the znodes: by the list, and by what is there.
func access(ctx context.Context, p *patient) []Finding {
	list := p.cfg.ACL
	if list == nil {
		list = zk.WorldACL(zk.PermAll)
	}
	if list.Against(zk.WorldACL(zk.PermAll)) == zkacl.Same {
		if where := p.away(); where != "" {
			return []Finding{{Level: Problem, What: "what zkine creates is open to all who reach ZooKeeper at " + where, Why: "they read and write every key, Secrets too",
				Remedy: "have zkine authenticate, with --zookeeper-cert-file or --zookeeper-auth-file, and run zkine acl apply; docs/security.md"}}
		}
		return []Finding{ok("", "znodes are open to everyone, on this machine's loopback interface")}
	}
	nearest, _, err := zkroot.Nearest(ctx, p.session, p.cfg.Root)
	if err == nil {
		err = zkacl.Try(ctx, p.acls, nearest, list)
	}
	switch {
	case errors.Is(err, zkacl.ErrLocksOut), errors.Is(err, zkacl.ErrAnonymous), errors.Is(err, zkacl.ErrList):
		return []Finding{{Level: Problem, What: plainly(err), Why: "zkine could not use what it creates", Remedy: "correct --zookeeper-acl, or what zkine authenticates with"}}
	case errors.Is(err, revision.ErrForbidden):
		return []Finding{{Level: Problem, Thing: nearest, What: "its ACL keeps zkine out", Why: "nothing can be created there", Remedy: "give zkine's identity all permissions on it, with zkine acl apply or zkCli.sh"}}
	case err != nil:
		return []Finding{unknown("", "it could not be looked at: %s", plainly(err))}
	}
	found, err := p.accessBelow(ctx, list, nearest)
	if err != nil {
		return append(found, unknown("", "it could not be looked at: %s", plainly(err)))
	}
	return unless(found, "the list lets zkine do what it needs, and the znodes that were looked at have it")
}

// accessBelow compares a sample of the root's znodes, and what is above it.
func (p *patient) accessBelow(ctx context.Context, list zkacl.List, nearest string) (found []Finding, err error) {
	expanded, err := zkacl.Expand(ctx, p.acls, nearest, list)
	if err != nil {
		return nil, err
	}
	if p.rootErr == nil {
		sample, err := zkacl.Sample(ctx, p.session, p.cfg.Root)
		if err != nil {
			return nil, err
		}
		survey, err := zkacl.VerifySome(ctx, p.acls, p.cfg.Root, sample, expanded)
		if err != nil {
			return nil, err
		}
		found = judgeSurvey(survey, expanded, p.cfg.Root)
	}
	for _, parent := range zkacl.Above(p.cfg.Root) {
		text, err := zkacl.JudgeParent(ctx, p.acls, parent, expanded)
		if err != nil && !errors.Is(err, zk.ErrNoNode) {
			return found, err
		}
		if text != "" {
			found = append(found, Finding{Level: Advice, Thing: parent, What: text, Why: "before there is a root others could put one of their own in its place",
				Remedy: "create the root's znode with its ACL beforehand, or have zkine acl apply --parents close what is above, on an ensemble of zkine's own"})
		}
	}
	return found, nil
}

// judgeSurvey judges a sample: how many znodes let others in, and how many differ
// otherwise.
func judgeSurvey(s *zkacl.Survey, wanted zkacl.List, root string) (found []Finding) {
	var weak, other []zkacl.Finding
	for _, f := range s.Findings {
		if f.Closed == nil && f.ACL.Exceeds(wanted) {
			weak = append(weak, f)
		} else {
			other = append(other, f)
		}
	}
	if len(weak) > 0 {
		found = append(found, Finding{Level: Problem, Thing: root, What: fmt.Sprintf("%d of %d znodes that were looked at are open to more than --zookeeper-acl says: %s, for one, has %s", len(weak), s.Znodes, weak[0].Path, weak[0].ACL.Brief()),
			Why: "who is let in there reads or alters keys", Remedy: remedyACL})
	}
	if len(other) > 0 {
		what := "may not be looked at"
		if other[0].Closed == nil {
			what = "has " + other[0].ACL.Brief()
		}
		found = append(found, Finding{Level: Advice, Thing: root, What: fmt.Sprintf("%d of %d znodes that were looked at have another ACL than --zookeeper-acl says: %s, for one, %s", len(other), s.Znodes, other[0].Path, what),
			Why: "a zkine with this list may be kept out there", Remedy: remedyACL})
	}
	return found
}
