package main

import (
	"context"
	"strconv"
	"strings"

	"github.com/sirupsen/logrus"

	"github.com/zkine/zkine/revision/embedded"
	"github.com/zkine/zkine/revision/zkclient/fourletter"
)

// warnOfHeap asks a server for its heap, and warns of one that does not hold
// what the quota allows. Only envi tells, which few servers answer: it has to be
// on their 4lw.commands.whitelist.
func warnOfHeap(ctx context.Context, server string, cfg config, log *logrus.Entry) {
	answer, err := fourletter.Ask(ctx, server, "envi")
	if err != nil {
		return
	}
	heap := enviHeap(answer)
	switch {
	case heap == 0 || cfg.quotaBytes >= 0 && embedded.Capacity(heap, cfg.maxRequest) >= cfg.quotaBytes:
	case cfg.quotaBytes < 0:
		log.Warnf("%s: nothing keeps what it holds below its heap of %s; set --quota-backend-bytes", server, size(heap))
	default:
		log.Warnf("%s: its heap of %s does not hold what --quota-backend-bytes=%d allows beside 500 requests of --max-zookeeper-request=%d; "+
			"give it %s, or set these lower", server, size(heap), cfg.quotaBytes, cfg.maxRequest, size(embedded.HeapFor(cfg.quotaBytes, cfg.maxRequest)))
	}
}

// enviHeap finds the largest heap, in bytes, in an answer to envi, which has a
// line like "os.memory.max=1011MB"; 0 if there is none.
func enviHeap(answer string) int64 {
	for line := range strings.Lines(answer) {
		if text, ok := strings.CutPrefix(strings.TrimSpace(line), "os.memory.max="); ok {
			n, _ := strconv.ParseInt(strings.TrimSuffix(text, "MB"), 10, 64)
			return n << 20
		}
	}
	return 0
}
