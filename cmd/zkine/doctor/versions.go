package doctor

import (
	"context"
	"slices"
	"strings"

	"github.com/zkine/zkine/revision/embedded"
)

// versions names servers whose version is known to lose data, and mixtures.
func versions(_ context.Context, p *patient) []Finding {
	seen := map[string][]string{}
	found := p.each(func(s *server) []Finding {
		version := s.version()
		if version == "" {
			return []Finding{s.silence("srvr")}
		}
		seen[version] = append(seen[version], s.String())
		return judgeVersion(s.String(), version)
	})
	if len(seen) > 1 {
		var each []string
		for version, servers := range seen {
			each = append(each, version+" on "+strings.Join(servers, ", "))
		}
		slices.Sort(each)
		found = append(found, Finding{Level: Advice, What: "the servers have different versions: " + strings.Join(each, "; "),
			Why: "what one of them can do or has mended, the ensemble cannot rely on", Remedy: "end the upgrade, followers first"})
	}
	return append(found, ok("", "zkine %s looks", p.cfg.Version))
}

// judgeVersion is what is known against a version of ZooKeeper.
func judgeVersion(thing, version string) []Finding {
	if bad := embedded.KnownBad(version); bad != "" {
		what, remedy, _ := strings.Cut(bad, "; ")
		return []Finding{{Level: Problem, Thing: thing, What: what, Why: "a write that a client was told is safe may be gone after a restart or an election", Remedy: remedy}}
	}
	if embedded.IsOlder(version, 3, 8) {
		return []Finding{{Level: Problem, Thing: thing, What: "ZooKeeper " + version + " is no longer maintained",
			Why: "zkine is not tried on it, and faults that lose data were mended since", Remedy: "use 3.9.5 or newer (on the 3.8 line: 3.8.6)"}}
	}
	return []Finding{ok(thing, "ZooKeeper %s", version)}
}
