package main

import (
	"net"
	"slices"
	"strings"

	"github.com/sirupsen/logrus"

	"github.com/zkine/zkine/server/listener"
)

// warnOfExposure names what others can reach without TLS, and how to mend it: one
// line for the client URLs, one for the metrics URLs, one for web pages.
func warnOfExposure(cfg *config, clients, metrics []net.Listener, log *logrus.Entry) {
	if urls := exposed(clients); urls != "" {
		log.Warnf("clients are served without TLS on %s: who reaches it reads and writes every key, and who is on the way reads and alters all, "+
			"passwords and tokens included; listen on https:// with --cert-file, --key-file and --trusted-ca-file, or on a loopback address or unix://", urls)
		if slices.Contains(cfg.cors, "*") {
			log.Warnf("any web page that a browser shows may use the JSON gateway on %s, as far as the browser reaches it; "+
				"name the pages' origins with --cors=, or none, and the host's names with --host-whitelist=", urls)
		}
	}
	if urls := exposed(metrics); urls != "" {
		shown := "metrics and health"
		if cfg.enablePprof {
			shown = "profiles, which show keys, and metrics"
		}
		log.Warnf("%s are served without TLS on %s to all who reach it; listen on https://, or on an address that only probes and Prometheus reach", shown, urls)
	}
}

// exposed are the URLs of sockets that other machines reach and that have no TLS;
// "" if there are none.
func exposed(sockets []net.Listener) string {
	var urls []string
	for _, l := range sockets {
		if a, isTCP := l.Addr().(*net.TCPAddr); isTCP && !a.IP.IsLoopback() && !listener.IsSecure(l) {
			urls = append(urls, listener.BoundURL(l))
		}
	}
	return strings.Join(urls, " and ")
}
