package zkclient

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// askTimeout bounds how long servers may take to say who leads.
	askTimeout = 200 * time.Millisecond
	// distrust is how long a session with the leader must have been granted
	// before the next one begins there again: a server that has just been lost
	// may think that it leads, and do nothing.
	distrust = 30 * time.Second
)

// grant is a session that Dial returned.
type grant struct {
	address string
	at      time.Time
}

// distrusted says whether a leader was lost, or found silent, just now.
func (z *Ensemble) distrusted(leader string) bool {
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.granted.address == leader && time.Since(z.granted.at) < distrust
}

// askWhoLeads has the answer sent to leads.
func (r *race) askWhoLeads() {
	servers := r.all()
	r.group.Go(func() {
		leader := leaderOf(r.ctx, servers)
		if r.z.distrusted(leader) {
			leader = ""
		}
		select {
		case r.leads <- leader:
		case <-r.ctx.Done():
		}
	})
}

// onLeader takes the answer to "who leads". Before anyone was asked for a
// session, the leader is the first. With a session at hand that is another
// server's, it is given a moment.
func (r *race) onLeader(leader string) *zkConn {
	r.told = leader
	if r.held == nil {
		if at := slices.IndexFunc(r.queue, func(t target) bool { return t.address == leader }); at > 0 {
			t := r.queue[at]
			r.queue = slices.Insert(slices.Delete(r.queue, at, at+1), 0, t)
		}
		if !r.begun {
			r.releaseOne()
		}
		return nil
	}
	if leader == "" || leader == r.held.address {
		return r.held
	}
	if at := slices.IndexFunc(r.queue, func(t target) bool { return t.address == leader }); at >= 0 {
		r.releaseAt(at)
	}
	if c := r.contenders[leader]; c != nil {
		c.hurry()
	}
	r.holding = time.After(holdFor)
	return nil
}

// leaderOf asks all servers at once and returns the one that says that it
// leads, as soon as most have answered; "" if there is none in time, or if they
// may not be asked. Of several, the one that leads since the latest election
// counts: a leader that was deposed may not know it yet.
func leaderOf(ctx context.Context, servers []Server) string {
	var asking Group
	defer asking.Wait()
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel() // which ends what is still asked
	type answer struct {
		address, mode string // mode is "" if it did not say
		epoch         int64
	}
	answers := make(chan answer, len(servers))
	for _, server := range servers {
		asking.Go(func() {
			text, _ := server.Ask(ctx, "srvr")
			mode, epoch := parseSrvr(text)
			answers <- answer{server.address, mode, epoch}
		})
	}
	leader, said := answer{epoch: -1}, 0
	for range servers {
		a := <-answers
		if a.mode != "" {
			said++
		}
		if a.mode == "leader" && a.epoch > leader.epoch {
			leader = a
		}
		if leader.address != "" && said > len(servers)/2 {
			break
		}
	}
	return leader.address
}

// parseSrvr reads what a server says that serves, "" if it does not, and the
// epoch of its last transaction.
func parseSrvr(text string) (mode string, epoch int64) {
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, "Mode: "); ok {
			mode = strings.TrimSpace(value)
		}
		if value, ok := strings.CutPrefix(line, "Zxid: "); ok {
			zxid, _ := strconv.ParseInt(strings.TrimSpace(value), 0, 64)
			epoch = zxid >> 32
		}
	}
	return mode, epoch
}
