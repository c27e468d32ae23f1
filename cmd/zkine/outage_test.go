package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision/zktest"
)

// TestAnOutageIsFewLines takes the only ZooKeeper away, frozen and dead, under a
// zkine, for longer than its sessions last.
func TestAnOutageIsFewLines(t *testing.T) {
	server := zktest.Start(t)
	p := startZkine(t, []string{"--zookeeper=" + server.Addr(), "--zookeeper-session-timeout=2s"})
	put(t, client(t, p.ready()), "a", "1")
	for name, fault := range map[string]struct{ begin, end func() }{
		"dead":   {server.Stop, server.Restart},
		"frozen": {server.Pause, server.Resume},
	} {
		before := len(p.text())
		fault.begin()
		p.awaitAfter(before, `no ZooKeeper server gives a session: `+server.Addr())
		time.Sleep(5 * time.Second) // an outage that lasts
		fault.end()
		p.awaitAfter(before, `(?m)it was away for \d+`)
		said := strings.Split(strings.TrimSpace(p.text()[before:]), "\n")
		said = slices.DeleteFunc(said, func(line string) bool { return strings.Contains(line, "ready to serve") })
		require.Len(t, said, 2, name)
		require.NotContains(t, p.text()[before:], "another server", name)
		put(t, client(t, p.ready()), "a", "2")
	}
}
