package doctor

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/zkine/zkine/cmd/zkine/clienturl"
)

// maxReady bounds what is read of an answer of /readyz, in bytes.
const maxReady = 64 << 10

// ready asks each zkine whether it serves linearizable reads and writes, as a probe does.
func ready(ctx context.Context, p *patient) (found []Finding) {
	for _, m := range p.members {
		if m.err == nil {
			found = append(found, m.ready(ctx, p.cfg.TLS))
		}
	}
	if found == nil {
		return []Finding{unknown("", "it could not be looked at: no zkine answers")}
	}
	return found
}

func (m *member) ready(ctx context.Context, config tlsConfig) Finding {
	ctx, cancel := context.WithTimeoutCause(ctx, askTime, fmt.Errorf("no answer within %v", askTime))
	defer cancel()
	answer, err := clienturl.Get(ctx, m.url, "/readyz", config, maxReady)
	switch {
	case err != nil:
		return unknown("member "+m.name, "it could not be looked at: %s/readyz: %s", m.url, plainly(err))
	case answer.Code == http.StatusOK:
		return ok("member "+m.name, "it is ready")
	case answer.Code != http.StatusServiceUnavailable:
		return unknown("member "+m.name, "it could not be looked at: %s/readyz answers %s", m.url, answer.Status)
	}
	return Finding{Level: Problem, Thing: "member " + m.name, What: "it is not ready: " + strings.Join(strings.Fields(string(answer.Body)), " "),
		Why: "linearizable reads and writes wait, or fail", Remedy: "the reason is named; if it is ZooKeeper, see the checks above"}
}

// alarms tells of alarms, and of what else the zkines tell in their status.
func alarms(ctx context.Context, p *patient) []Finding {
	raised, found := p.raised(ctx)
	if raised == nil && found == nil {
		return []Finding{unknown("", "it could not be looked at: no zkine answers")}
	}
	for _, m := range p.members {
		if m.err != nil {
			continue
		}
		for _, text := range m.status.Errors {
			if !slices.ContainsFunc(raised, func(alarm string) bool { return strings.Contains(text, alarm) }) {
				found = append(found, Finding{Level: Problem, Thing: "member " + m.name, What: text, Why: "it tells so in its status", Remedy: "see docs/maintenance.md, and its log"})
			}
		}
	}
	return unless(found, "none is raised")
}

// raised lists the alarms, by the first zkine that tells. None are an empty list, not
// nil, if one has told.
func (p *patient) raised(ctx context.Context) (names []string, found []Finding) {
	for _, m := range p.members {
		if m.err != nil {
			continue
		}
		names, err := alarmsOf(ctx, m.client)
		if err != nil {
			found = append(found, unknown("member "+m.name, "alarms could not be listed: %s", plainly(err)))
			continue
		}
		found = nil // another one has told
		for _, name := range names {
			found = append(found, Finding{Level: Problem, Thing: name, What: "this alarm is raised",
				Why: "with NOSPACE only deletions are taken, with CORRUPT nothing at all", Remedy: "make room and disarm it, as docs/maintenance.md says"})
		}
		return names, found
	}
	return nil, found
}

func alarmsOf(ctx context.Context, client *clientv3.Client) (names []string, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, askTime, fmt.Errorf("no answer within %v", askTime))
	defer cancel()
	resp, err := client.AlarmList(ctx)
	if err != nil {
		return nil, err
	}
	names = []string{}
	for _, a := range resp.Alarms {
		if name := a.Alarm.String(); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names, nil
}
