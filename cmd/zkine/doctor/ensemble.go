package doctor

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// ensemble compares the list with what the servers say of each other.
func ensemble(_ context.Context, p *patient) []Finding {
	voters, observers, told := p.membership()
	if !told {
		if len(p.servers) == 1 && p.servers[0].mode() == "standalone" {
			return []Finding{alone(p.servers[0].String())}
		}
		return []Finding{unknown("", "it could not be looked at: no server answers conf")}
	}
	found := slices.Concat(p.unnamed(voters, observers), p.leaders(len(voters)))
	if n := len(voters); n > 0 && n%2 == 0 {
		found = append(found, Finding{Level: Advice, What: fmt.Sprintf("%d servers vote", n),
			Why:    fmt.Sprintf("%d survive the loss of no more servers than %d do, and one more has to have each write on disk", n, n-1),
			Remedy: "run an odd number"})
	}
	return unless(found, "%d servers vote, and the list names all of them", len(voters))
}

func alone(thing string) Finding {
	return Finding{Level: Advice, Thing: thing, What: "it stands alone", Why: "while it is away nothing is served, and its disk is the only copy",
		Remedy: "run an ensemble of three for what must not be lost"}
}

// membership is which servers there are, by their ids, as those that answer conf say.
func (p *patient) membership() (voters, observers []string, told bool) {
	for _, s := range p.servers {
		for name, value := range s.words["conf"].values {
			id, is := strings.CutPrefix(name, "server.")
			if !is || slices.Contains(voters, id) || slices.Contains(observers, id) {
				continue
			}
			told = true
			if role, _, _ := strings.Cut(value, ";"); strings.HasSuffix(role, ":observer") {
				observers = append(observers, id)
			} else {
				voters = append(voters, id)
			}
		}
	}
	slices.Sort(voters)
	return voters, observers, told
}

// unnamed are voters that the list leaves out, as far as those in it say who they are.
func (p *patient) unnamed(voters, observers []string) []Finding {
	left := slices.Clone(voters)
	for _, s := range p.servers {
		id := s.value("conf", "serverId")
		if id == "" && !slices.Contains(observers, id) {
			return nil // it may be any of them
		}
		left = slices.DeleteFunc(left, func(v string) bool { return v == id })
	}
	if len(left) == 0 {
		return nil
	}
	return []Finding{{Level: Advice, What: fmt.Sprintf("the list leaves %s %s out, by the ids of zoo.cfg", plural(len(left), "server", "servers"), strings.Join(left, ", ")),
		Why: "while those that it names are away zkine serves nothing, though the ensemble may", Remedy: "name all that vote in --zookeeper"}}
}

// leaders looks whether one server leads, and whether all others follow it.
func (p *patient) leaders(voters int) (found []Finding) {
	var leading []*server
	for _, s := range p.servers {
		if s.mode() == "leader" {
			leading = append(leading, s)
		}
	}
	if len(leading) > 1 {
		return []Finding{{Level: Problem, What: fmt.Sprintf("%d servers say that they lead", len(leading)),
			Why: "one of them was deposed and does not know it yet, which is over within seconds, or the list mixes two ensembles", Remedy: "look again; if it stays, check --zookeeper"}}
	}
	for _, s := range leading {
		synced, err := strconv.ParseFloat(s.value("mntr", "zk_synced_followers"), 64)
		if err != nil {
			return nil
		}
		if int(synced) < voters-1 {
			found = append(found, Finding{Level: Problem, Thing: s.String(), What: fmt.Sprintf("it leads %d of %d followers", int(synced), voters-1),
				Why: "one server less survives until writes stop", Remedy: "start those that are missing, and see their logs"})
		}
	}
	return found
}

// leastConnections is what a server should take from one address, at least: a zkine has
// some ten connections, and this doctor as many.
const leastConnections = 30

func connections(_ context.Context, p *patient) []Finding {
	return p.each(func(s *server) []Finding {
		most, told := s.number("conf", "maxClientCnxns")
		if !told {
			return []Finding{s.silence("conf")}
		}
		if most == 0 || most >= leastConnections {
			return []Finding{ok(s.String(), "it takes %s connections from one address", orAny(most))}
		}
		return []Finding{{Level: Problem, Thing: s.String(), What: fmt.Sprintf("it takes %.0f connections from one address", most),
			Why:    "a zkine has some ten, and several may be on one machine or behind one address; one too many is accepted and ended at once, for ever",
			Remedy: "maxClientCnxns=60, the default, or more"}}
	})
}

func orAny(n float64) string {
	if n == 0 {
		return "any number of"
	}
	return strconv.FormatFloat(n, 'f', 0, 64)
}
