package main

import (
	"context"
	"strconv"
	"strings"
	"sync"

	"github.com/sirupsen/logrus"

	"github.com/zkine/zkine/revision/embedded"
	"github.com/zkine/zkine/revision/zkclient"
)

// inspectEnsemble asks each address of each server for its version and its heap,
// and warns of versions known to lose data and of heaps that the quota does not
// fit. A server that does not tell is left alone. It ends within seconds.
func inspectEnsemble(ctx context.Context, ensemble *zkclient.Ensemble, cfg config, log *logrus.Entry) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, server := range ensemble.Found(ctx) {
		wg.Go(func() {
			reply, err := server.Ask(ctx, "srvr")
			if err != nil {
				return
			}
			if bad := embedded.KnownBad(srvrVersion(reply)); bad != "" {
				log.Warnf("%s: %s", server, bad)
			}
			inspectHeap(ctx, server, cfg, log)
		})
	}
}

// inspectHeap asks a server for its heap, and warns of one that does not hold
// what the quota allows. Only envi tells, which few servers answer: it has to be
// on their 4lw.commands.whitelist.
func inspectHeap(ctx context.Context, server zkclient.Server, cfg config, log *logrus.Entry) {
	reply, err := server.Ask(ctx, "envi")
	if err != nil {
		return
	}
	heap := enviHeap(reply)
	switch {
	case heap == 0 || cfg.quotaBytes >= 0 && embedded.Capacity(heap, cfg.maxRequest) >= cfg.quotaBytes:
	case cfg.quotaBytes < 0:
		log.Warnf("%s: nothing keeps what it holds below its heap of %s; set --quota-backend-bytes", server, size(heap))
	default:
		log.Warnf("%s: its heap of %s does not hold what --quota-backend-bytes=%d allows beside 500 requests of --max-zookeeper-request=%d; "+
			"give it %s, or set these lower", server, size(heap), cfg.quotaBytes, cfg.maxRequest, size(embedded.HeapFor(cfg.quotaBytes, cfg.maxRequest)))
	}
}

// enviHeap finds the largest heap, in bytes, in a reply to envi, which has a
// line like "os.memory.max=1011MB"; 0 if there is none.
func enviHeap(reply string) int64 {
	for line := range strings.Lines(reply) {
		if text, ok := strings.CutPrefix(strings.TrimSpace(line), "os.memory.max="); ok {
			n, _ := strconv.ParseInt(strings.TrimSuffix(text, "MB"), 10, 64)
			return n << 20
		}
	}
	return 0
}

// srvrVersion finds the version in a reply to srvr, which begins "Zookeeper
// version: 3.9.6-<commit>, built on <date>".
func srvrVersion(reply string) string {
	_, rest, _ := strings.Cut(reply, "ersion: ")
	version, _, _ := strings.Cut(rest, "-")
	return strings.TrimSpace(version)
}
