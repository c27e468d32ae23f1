package doctor

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-zookeeper/zk"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zkacl"
)

// quotaFolder is where ZooKeeper keeps quotas: the limits of /a are in
// /zookeeper/quota/a/zookeeper_limits, what counts against them in zookeeper_stats.
const quotaFolder = "/zookeeper/quota"

// znodeQuota looks for quotas of ZooKeeper's that would refuse zkine's writes before its
// own quota does.
func znodeQuota(ctx context.Context, p *patient) (found []Finding) {
	for _, at := range append([]string{p.cfg.Root}, zkacl.Above(p.cfg.Root)...) {
		if at == "/" {
			continue // ZooKeeper has none for it
		}
		limits, _, err := p.session.Get(ctx, quotaFolder+at+"/zookeeper_limits")
		if errors.Is(err, zk.ErrNoNode) {
			continue
		}
		if err != nil {
			why := plainly(err)
			if errors.Is(err, revision.ErrForbidden) {
				why = "the ACL of " + quotaFolder + " keeps zkine out"
			}
			return append(found, unknown(at, "it could not be looked at: %s", why))
		}
		stats, _, err := p.session.Get(ctx, quotaFolder+at+"/zookeeper_stats")
		if err != nil && !errors.Is(err, zk.ErrNoNode) {
			return append(found, unknown(at, "it could not be looked at: %s", plainly(err)))
		}
		found = append(found, judgeQuota(at, parseQuota(string(limits)), parseQuota(string(stats)), p.cfg.Quota)...)
	}
	return unless(found, "there is none on %s, nor above it", p.cfg.Root)
}

// parseQuota reads "count=5,bytes=-1=;byteHardLimit=10;countHardLimit=20". What is not
// there, or no bound, is left out.
func parseQuota(text string) map[string]int64 {
	values := map[string]int64{}
	for _, part := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ';' }) {
		name, value, _ := strings.Cut(part, "=")
		if n, err := strconv.ParseInt(strings.Trim(value, "= "), 10, 64); err == nil && n >= 0 {
			values[strings.TrimSpace(name)] = n
		}
	}
	return values
}

// judgeQuota judges limits, with what is used of them, beside zkine's own quota, all in
// bytes.
func judgeQuota(at string, limits, used map[string]int64, own int64) (found []Finding) {
	remedy := fmt.Sprintf("zkCli.sh delquota %s, and bound zkine with --quota-backend-bytes", at)
	if hard, is := limits["byteHardLimit"]; is {
		f := Finding{Level: Advice, Thing: at, What: fmt.Sprintf("it may hold %d bytes, of which %d are used", hard, used["bytes"]),
			Why: "with enforceQuota=true ZooKeeper refuses what would go beyond, also what zkine writes to make room", Remedy: remedy}
		if own < 0 || hard < 2*own || used["bytes"] > hard/10*8 {
			f.Level = Problem
			f.What += fmt.Sprintf("; zkine's own quota is %d, and it needs about twice that while it makes room", own)
		}
		found = append(found, f)
	}
	if hard, is := limits["countHardLimit"]; is {
		found = append(found, Finding{Level: Problem, Thing: at, What: fmt.Sprintf("it may hold %d znodes, of which %d are used", hard, used["count"]),
			Why: "with enforceQuota=true ZooKeeper refuses more; each write of zkine's is a znode until it is packed, so that their number swings by thousands", Remedy: remedy})
	}
	if soft := max(limits["bytes"], limits["count"]); soft > 0 {
		found = append(found, Finding{Level: Advice, Thing: at, What: "it has a soft quota",
			Why: "the servers warn in their logs with each write beyond it, and refuse nothing", Remedy: remedy})
	}
	return found
}
