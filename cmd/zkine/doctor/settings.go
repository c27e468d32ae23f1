package doctor

import (
	"context"
	"fmt"
	"strings"
)

// setting is what a server has for a line of zoo.cfg. Its own file tells, or its
// admin server, which has most of them as Java's properties; of these one that is
// not set is the default. known is false if it cannot be told.
func (p *patient) setting(s *server, name string) (value, source string, known bool) {
	for _, file := range []struct{ text, source string }{{p.cfg.ZooCfg, "zoo.cfg"}, {s.admin.zooCfg, "its admin server"}} {
		if file.text == "" {
			continue
		}
		if value, is := parseZooCfg(file.text)[name]; is {
			return value, file.source, true
		}
		if value, is := s.admin.properties["zookeeper."+name]; is { // of the command line
			return value, "its admin server", true
		}
		return "", file.source, true
	}
	if s.admin.properties == nil || ownFields[name] {
		return "", "", false
	}
	return s.admin.properties["zookeeper."+name], "its admin server", true
}

// ownFields are settings that ZooKeeper reads into fields of its own, and that are
// no Java properties.
var ownFields = map[string]bool{
	"autopurge.purgeInterval": true, "autopurge.snapRetainCount": true, "localSessionsEnabled": true,
	"localSessionsUpgradingEnabled": true, "dataDir": true, "dataLogDir": true, "syncEnabled": true,
}

// unsettled is why a setting is not known.
func (p *patient) unsettled(s *server, what string) Finding {
	why := "no four-letter word tells"
	if s.admin.err != nil {
		why += ", and " + plainly(s.admin.err)
	}
	f := unknown(s.String(), "%s could not be looked at: %s", what, why)
	f.Remedy = "run this beside the server with --zoo-cfg=FILE"
	return f
}

// parseZooCfg reads the lines of a zoo.cfg.
func parseZooCfg(text string) map[string]string {
	values := map[string]string{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || line[0] == '!' {
			continue
		}
		if at := strings.IndexAny(line, "=:"); at > 0 {
			values[strings.TrimSpace(line[:at])] = strings.TrimSpace(line[at+1:])
		}
	}
	return values
}

// worth is a setting of docs/zookeeper-settings.md.
type worth struct{ name, value, why string }

var worthSetting = []worth{
	{"nio.numWorkerThreads", "0", "the thread that reads a request goes on with it itself, which spares each write switches of threads"},
	{"commitProcessor.numWorkerThreads", "0", "the thread that commits answers itself, which spares each write switches of threads"},
	{"nio.numSelectorThreads", "1", "the clients of a ZooKeeper with zkines are few"},
	{"maxResponseCacheSize", "0", "a slot is read once by each zkine, so that cached replies are heap for nothing"},
}

// worthHaving looks at settings that make zkine faster. None makes it wrong.
func worthHaving(_ context.Context, p *patient) []Finding {
	return p.each(func(s *server) (found []Finding) {
		var missing []string
		var why string
		for _, w := range worthSetting {
			value, _, known := p.setting(s, w.name)
			if !known {
				return []Finding{p.unsettled(s, "which settings it runs with")}
			}
			if value != w.value {
				missing = append(missing, w.name+"="+w.value)
				if why == "" {
					why = w.why
				}
			}
		}
		if missing == nil {
			return []Finding{ok(s.String(), "it has the settings that suit zkines")}
		}
		return []Finding{{Level: Advice, Thing: s.String(), What: "it runs without " + strings.Join(missing, ", "), Why: why + "; docs/zookeeper-settings.md has what each was measured to be worth",
			Remedy: fmt.Sprintf("add %s to zoo.cfg, and restart one server after the other", plural(len(missing), "this line", "these lines"))}}
	})
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
