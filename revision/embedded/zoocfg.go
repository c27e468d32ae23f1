package embedded

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
)

// zooCfg is the content of zoo.cfg.
func (c Config) zooCfg() string {
	p := map[string]string{
		"dataDir":            c.path("data"),
		"clientPort":         strconv.Itoa(c.ClientPort),
		"clientPortAddress":  c.Host,
		"tickTime":           strconv.FormatInt(c.TickTime.Milliseconds(), 10),
		"maxSessionTimeout":  "40000",
		"admin.enableServer": "false",
		// They need no credential, and so may tell nothing of paths, sessions and watches. mntr, which tells how much
		// is stored, has the name of the root in those of some metrics.
		"4lw.commands.whitelist": "srvr,mntr,ruok",
		// Off by default, and then the disk fills.
		"autopurge.purgeInterval":   "1",
		"autopurge.snapRetainCount": "3",
		// A start replays no more log than this, instead of 4 GiB.
		"snapSizeLimitInKb": strconv.FormatInt(c.Heap>>10, 10),
	}
	if !c.Plain {
		maps.Copy(p, tuned)
	}
	if c.SnapCount > 0 {
		p["snapCount"] = strconv.Itoa(c.SnapCount)
	}
	if c.Ensemble != nil {
		p["initLimit"], p["syncLimit"] = "20", "5"
		p["quorumListenOnAllIPs"] = "false"
		for _, peer := range c.Ensemble.Peers {
			line := fmt.Sprintf("%s:%d:%d", cmp.Or(peer.Host, loopback), peer.QuorumPort, peer.ElectionPort)
			if peer.Observer {
				line += ":observer"
				if peer.ID == c.Ensemble.ID {
					p["peerType"] = "observer"
				}
			}
			p[fmt.Sprintf("server.%d", peer.ID)] = line
		}
	}
	if c.Open {
		p["maxClientCnxns"] = "0" // all clients come from one address
	} else {
		maps.Copy(p, c.closed())
	}
	maps.Copy(p, c.Properties)
	var b strings.Builder
	b.WriteString("# Written by zkine at each start; changes made here are lost.\n")
	for _, key := range slices.Sorted(maps.Keys(p)) {
		fmt.Fprintf(&b, "%s=%s\n", key, escape(p[key]))
	}
	return b.String()
}

// tuned are the lines of zoo.cfg that suit zkines. deploy/zookeeper/zoo.cfg has them for an ensemble. ZooKeeper takes what
// it does not know for a Java property, with "zookeeper." before it.
var tuned = map[string]string{
	// A request's way through the server, with a thread less to wake at two places: its clients are few.
	"nio.numSelectorThreads":           "1",
	"nio.numWorkerThreads":             "0",
	"commitProcessor.numWorkerThreads": "0",
	// A slot is read once by each zkine: 400 cached replies of up to a MiB each would be heap for nothing, and so would
	// be lists of children.
	"maxResponseCacheSize":            "0",
	"maxGetChildrenResponseCacheSize": "0",
}

// escape writes a value as Java's Properties.load reads it: backslashes escape, bytes are Latin-1.
func escape(value string) string {
	var b strings.Builder
	for _, r := range value {
		switch {
		case r == '\\':
			b.WriteString(`\\`)
		case r == '\n':
			b.WriteString(`\n`)
		case r < 0x80:
			b.WriteRune(r)
		default:
			for _, unit := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(&b, `\u%04x`, unit)
			}
		}
	}
	return b.String()
}

// maxClients bounds the connections from one address, those of four-letter words included. A zkine has some ten. Each
// may make the server take memory for a request, with a credential or without: more of them would be a danger to its
// heap.
const maxClients = 60

// closed are the lines of zoo.cfg by which the server turns away who shows no credential, and knows the superuser.
// ZooKeeper takes what it does not know for a Java property, with "zookeeper." before it. The file has no secret: a
// hash of 256 random bits tells nothing of them.
func (c Config) closed() map[string]string {
	return map[string]string{
		"maxClientCnxns":                           strconv.Itoa(maxClients),
		"enforce.auth.enabled":                     "true",
		"enforce.auth.schemes":                     "digest",
		"DigestAuthenticationProvider.superDigest": c.digest(superName).ID,
	}
}
