package doctor

import (
	"context"
	"fmt"

	"github.com/zkine/zkine/revision/bytesize"
)

// quota tells how much of its quota each zkine has used: each judges by its own.
func quota(_ context.Context, p *patient) (found []Finding) {
	for _, m := range p.members {
		if m.err == nil {
			found = append(found, judgeUsed("member "+m.name, m.status.DbSize, m.status.DbSizeQuota))
		}
	}
	if found == nil {
		return []Finding{unknown("", "it could not be looked at: no zkine answers")}
	}
	return found
}

func judgeUsed(thing string, used, bound int64) Finding {
	f := Finding{Level: Problem, Thing: thing, Why: "at the quota the alarm NOSPACE is raised, and only deletions are taken", Remedy: "compact and defragment (docs/maintenance.md), find what grows with zkine inspect, or raise --quota-backend-bytes and ZooKeeper's heap"}
	if bound <= 0 {
		f.Level, f.What, f.Why = Advice, fmt.Sprintf("it has no quota; %s are used", bytesize.Text(used)), "nothing keeps ZooKeeper's heap from filling up"
		f.Remedy = "set --quota-backend-bytes"
		return f
	}
	percent := float64(used) / float64(bound) * 100
	f.What = fmt.Sprintf("%s of its quota of %s are used, %.0f %%", bytesize.Text(used), bytesize.Text(bound), percent)
	switch {
	case percent >= 90:
	case percent >= 75:
		f.Level = Advice
	default:
		return ok(thing, "%s", f.What)
	}
	return f
}
