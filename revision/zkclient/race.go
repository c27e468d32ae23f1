package zkclient

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/zkine/zkine/revision"
)

// A race is one Dial. Every address of every server is a contender, which is
// asked again and again whatever the others do, until one has granted a session
// and answered a quorum write. So a server that hangs, refuses, or has no quorum
// holds no caller up, and one that begins to serve is found within a second.
//
// Contenders start one after the other, so that a healthy ensemble sees one
// session: the next one as soon as one has failed, and twice as many with each
// stagger. Each address sees at most three connection attempts a second, from
// each race, however long it lasts. Sessions that come too late are closed.
type race struct {
	z   *Ensemble
	ctx context.Context
	// group is every goroutine of the race. Those that outlast it end soon: the
	// connection that has won waits for them when it is closed, and a Dial that
	// fails does.
	group  Group
	wanted preference

	found  chan found
	events chan raceEvent
	leads  chan string // answers to "who leads", "" for none

	// What follows is run's.
	servers    []string            // z's, each once
	names      map[string][]target // what each server's name led to; missing until it was looked up
	queue      []target            // those that are not asked yet
	contenders map[string]*contender
	started    bool             // the order is decided
	begun      bool             // one was asked
	overdue    bool             // names had their time
	release    int              // how many the next stagger starts
	demands    map[string]error // what servers said that demand authentication

	told    string  // who led when that was asked last
	asked   bool    // whether it was asked for held
	held    *zkConn // proven, but not the leader's
	holding <-chan time.Time
}

// preference says which server's session a race is for.
type preference int

const (
	anyServer   preference = iota
	leaderFirst            // the leader's, if it is known in time
)

// raceEvent is what became of a connection: it is proven, or why not.
type raceEvent struct {
	target target
	conn   *zkConn
	err    error
}

const (
	// gather is how long names may take to be looked up while others have been.
	gather = 100 * time.Millisecond
	// stagger is how long servers may keep silent until more are asked.
	stagger = 200 * time.Millisecond
	// holdFor is how long a proven session is held for the leader's.
	holdFor = 200 * time.Millisecond
	// sayEvery is how often a race looks whether there is something to say.
	sayEvery = 250 * time.Millisecond
)

// errRival says that another server was faster.
var errRival = errors.New("another server granted a session first")

func (z *Ensemble) race(ctx context.Context, wanted preference) (*zkConn, error) {
	if len(z.Servers) == 0 {
		return nil, errors.New("revision: no ZooKeeper servers given")
	}
	ctx, cancel := context.WithCancelCause(ctx)
	r := &race{z: z, ctx: ctx, wanted: wanted,
		found: make(chan found), events: make(chan raceEvent), leads: make(chan string),
		names: map[string][]target{}, contenders: map[string]*contender{}, demands: map[string]error{}, release: 1}
	for _, server := range z.Servers {
		if !slices.Contains(r.servers, server) {
			r.servers = append(r.servers, server)
			r.group.Go(func() { r.keepLookingUp(server) })
		}
	}
	z.outage().dialing()
	conn, err := r.run()
	cancel(errRival)
	if held := r.held; held != nil && held != conn {
		r.group.Go(held.Close)
	}
	if err != nil {
		r.group.Wait()
		return nil, err
	}
	conn.left = &r.group
	return conn, nil
}

func (r *race) run() (*zkConn, error) {
	gathered := time.After(gather)
	more := time.NewTicker(stagger)
	defer more.Stop()
	say := time.NewTicker(sayEvery)
	defer say.Stop()
	for {
		select {
		case f := <-r.found:
			r.learn(f)
			if r.overdue || len(r.names) == len(r.servers) {
				r.start()
			}
		case <-gathered:
			r.overdue = true
			r.start()
		case leader := <-r.leads:
			if conn := r.onLeader(leader); conn != nil {
				return conn, nil
			}
		case e := <-r.events:
			if conn := r.onEvent(e); conn != nil {
				return conn, nil
			}
			if err := r.demanded(e); err != nil {
				return nil, err
			}
		case <-r.holding:
			if conn := r.held; conn != nil {
				return conn, nil
			}
		case <-more.C:
			r.releaseMore()
		case <-say.C:
			r.z.outage().due()
		case <-r.ctx.Done():
			return nil, fmt.Errorf("%s (%w)", r.z.outage().state(), context.Cause(r.ctx))
		}
	}
}

// learn takes what a name leads to now: addresses that are new join, those that
// are gone are asked no more.
func (r *race) learn(f found) {
	r.z.outage().note("name "+f.server, f.server, f.err)
	r.names[f.server] = f.targets
	valid := map[string]bool{}
	for _, targets := range r.names {
		for _, t := range targets {
			valid[t.address] = true
		}
	}
	r.queue = slices.DeleteFunc(r.queue, func(t target) bool { return !valid[t.address] })
	for address, c := range r.contenders {
		if !valid[address] {
			c.cancel()
			delete(r.contenders, address)
			r.z.outage().note(address, c.target.label, nil)
		}
	}
	for _, t := range f.targets {
		known := slices.ContainsFunc(r.queue, func(q target) bool { return q.address == t.address })
		if _, running := r.contenders[t.address]; !known && !running {
			r.queue = append(r.queue, t)
		}
	}
	if r.begun && len(r.contenders) == 0 {
		r.releaseOne()
	}
}

// start begins with the leader, or with the server after the last one.
func (r *race) start() {
	if r.started || len(r.queue) == 0 {
		return
	}
	r.started = true
	r.queue = r.z.inOrder(r.queue)
	if r.wanted == leaderFirst && len(r.queue) > 1 {
		r.askWhoLeads()
		return
	}
	r.releaseOne()
}

// all are the addresses of all servers.
func (r *race) all() (all []Server) {
	for _, server := range r.servers {
		for _, t := range r.names[server] {
			all = append(all, Server{t, r.z})
		}
	}
	return all
}

// onEvent returns the winner, once there is one.
func (r *race) onEvent(e raceEvent) *zkConn {
	if e.err != nil {
		r.z.outage().note(e.target.address, e.target.label, e.err)
		r.releaseOne()
		return nil
	}
	if r.held != nil {
		select {
		case <-r.held.Done(): // it was lost while it was held
			r.held, r.asked, r.holding = nil, false, nil
		default:
			if e.conn.address != r.told {
				r.group.Go(e.conn.Close)
				return nil
			}
			return e.conn
		}
	}
	if r.wanted != leaderFirst || len(r.all()) < 2 || e.conn.address == r.told {
		return e.conn
	}
	r.held = e.conn
	if !r.asked {
		r.asked = true
		r.askWhoLeads()
	}
	return nil
}

// demanded is why no server will grant a session: each of them demands
// authentication. What one said gets lost with its connection, at times.
func (r *race) demanded(e raceEvent) error {
	switch {
	case errors.Is(e.err, revision.ErrUnauthenticated):
		r.demands[e.target.address] = e.err
	case !errors.Is(e.err, errClosesEarly):
		delete(r.demands, e.target.address)
	}
	said := r.demands[e.target.address]
	for _, server := range r.all() {
		if said == nil || r.demands[server.address] == nil {
			return nil
		}
	}
	return fmt.Errorf("%s: %w", e.target.label, said)
}

func (r *race) releaseMore() {
	if !r.begun {
		return
	}
	n := min(r.release, len(r.queue))
	for range n {
		r.releaseOne()
	}
	r.release = 2 * max(n, 1)
}

func (r *race) releaseOne() {
	if len(r.queue) > 0 {
		r.releaseAt(0)
	}
}

func (r *race) releaseAt(i int) {
	r.begun = true
	t := r.queue[i]
	r.queue = slices.Delete(r.queue, i, i+1)
	ctx, cancel := context.WithCancel(r.ctx)
	c := &contender{target: t, cancel: cancel, now: make(chan struct{}, 1)}
	r.contenders[t.address] = c
	r.group.Go(func() { r.contend(ctx, c) })
}

// inOrder begins with the one after the last winner.
func (z *Ensemble) inOrder(all []target) []target {
	z.mu.Lock()
	defer z.mu.Unlock()
	first := rand.IntN(len(all))
	if z.began != "" {
		at := slices.IndexFunc(all, func(t target) bool { return t.address == z.began })
		first = (at + 1) % len(all)
	}
	return append(slices.Clone(all[first:]), all[:first]...)
}
