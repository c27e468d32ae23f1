package revision

import (
	"context"
	"time"

	"github.com/zkine/zkine/revision/embedded"
)

const (
	// askTimeout bounds how long a server may take to say whether it leads.
	askTimeout = 300 * time.Millisecond
	// distrust is how long a session with the leader must have been granted
	// before the next one begins there again: a server that has just been lost
	// may think that it leads, and do nothing.
	distrust = 30 * time.Second
)

// grant is a session that a server granted to Dial.
type grant struct {
	server int
	at     time.Time
}

// leaderOrNext is the server to begin with: the leader, if that is preferred
// and can be told.
func (z *ZooKeeper) leaderOrNext(ctx context.Context) int {
	next := z.first()
	if !z.PreferLeader || len(z.Servers) == 1 {
		return next
	}
	leader := leaderOf(ctx, z.Servers)
	last := z.last.Load()
	if leader < 0 || last != nil && last.server == leader && time.Since(last.at) < distrust {
		return next
	}
	return leader
}

// leaderOf asks all servers at once and returns the index of the only one that
// says that it leads, as soon as most have answered; -1 if there is no such one
// in time, or if they may not be asked.
func leaderOf(ctx context.Context, servers []string) int {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	type answer struct {
		server int
		mode   string // "" if it did not say
	}
	answers := make(chan answer, len(servers))
	for i, server := range servers {
		go func() {
			mode, _ := embedded.Mode(ctx, server)
			answers <- answer{i, mode}
		}()
	}
	leader, leaders, said := -1, 0, 0
	for range servers {
		a := <-answers
		if a.mode != "" {
			said++
		}
		if a.mode == "leader" {
			leader, leaders = a.server, leaders+1
		}
		if leaders == 1 && said > len(servers)/2 {
			return leader
		}
	}
	if leaders != 1 {
		return -1
	}
	return leader
}
