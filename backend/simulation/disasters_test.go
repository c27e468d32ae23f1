package simulation

import (
	"strings"
	"time"
)

// fate is what becomes of one request.
type fate int

const (
	fine fate = iota
	loseRequest
	loseReply
	stall       // nothing of the connection arrives for a while
	crashBefore // the zkine that sent it dies before it took effect
	crashAfter  // and after
)

func (w *world) fate(n *conn, c *call) fate {
	p := w.profile
	if w.mute && strings.HasPrefix(c.what, "multi") && strings.Contains(c.what, "(/zkine/trust,") {
		return loseRequest
	}
	if w.calm {
		return fine
	}
	// Writes are where it hurts.
	weight := 1
	if !strings.HasPrefix(c.what, "multi") {
		weight = 4
	}
	for _, chance := range []struct {
		fate fate
		name string
		n    int
	}{{loseRequest, "request lost", p.loseRequest}, {loseReply, "reply lost", p.loseReply}, {stall, "stall", p.stall},
		{crashBefore, "crash before", p.crashBefore}, {crashAfter, "crash after", p.crashAfter}} {
		if !n.isClosed() && w.oneIn(chance.n*weight) {
			w.count(chance.name)
			return chance.fate
		}
	}
	return fine
}

func (w *world) count(what string) { w.happened[what]++ }

// expectDisaster has one strike some time from now, and another after it. They grow
// rarer in a world that gets old: where nothing shortens the log and a zkine is
// crashed before it has replayed it, again and again, nobody comes to an end, and no
// zkine is to blame.
func (w *world) expectDisaster() {
	if w.profile.disasters == 0 {
		return
	}
	mean := w.profile.disasters << (w.now() / (5 * time.Minute))
	w.after(time.Duration(w.rng.ExpFloat64()*float64(mean)), func() {
		if w.calm {
			return
		}
		w.disaster()
		w.expectDisaster()
	})
}

func (w *world) disaster() {
	p := w.profile
	z := w.zkines[w.rng.IntN(len(w.zkines))]
	server := w.rng.IntN(p.servers)
	what := "nothing"
	switch w.rng.IntN(7) {
	case 0:
		what = "cut"
		w.cut(func(*conn) bool { return true })
	case 1:
		what = "cut one zkine off"
		w.cut(func(n *conn) bool { return n.life.z == z })
	case 2:
		what = "ensemble away"
		w.awayUntil = w.now() + w.between(0, 2*sessionTimeout)
		w.cut(func(*conn) bool { return true })
	case 3:
		// Its clients can read what it has, but not write.
		what = "server cut off"
		w.cutUntil[server] = w.now() + w.between(0, 2*sessionTimeout)
		w.lag(server, w.cutUntil[server])
	case 4:
		if p.freeze {
			what = "freeze"
			w.freeze(z, w.between(0, 3*sessionTimeout))
		}
	case 5:
		if p.expire && len(w.conns) > 0 {
			what = "session expires"
			w.conns[w.rng.IntN(len(w.conns))].expire()
		}
	case 6:
		if p.crashBefore+p.crashAfter > 0 && z.life != nil && !z.life.dead {
			what = "crash"
			w.crash(z.life)
		}
	}
	w.count(what)
	w.trace.event(w.now(), z.name, "disaster: "+what)
}

// expectLag has servers fall behind now and then.
func (w *world) expectLag() {
	if !w.profile.lag || w.profile.servers == 1 {
		return
	}
	w.after(w.between(0, 2*time.Second), func() {
		if w.calm {
			return
		}
		w.count("server lags")
		w.lag(w.rng.IntN(w.profile.servers), w.now()+w.between(0, 3*time.Second))
		w.expectLag()
	})
}

// cut ends the connections that which names.
func (w *world) cut(which func(*conn) bool) {
	for _, n := range append([]*conn(nil), w.conns...) {
		if which(n) {
			w.sever(n)
		}
	}
}

// lag keeps a server behind until then; it catches up in steps.
func (w *world) lag(server int, until time.Duration) {
	if w.profile.servers == 1 {
		return // it would be the whole ensemble
	}
	w.e.Lag(server, true)
	var step func()
	step = func() {
		if w.calm || w.now() >= until {
			w.e.Lag(server, false)
			w.fireWatches()
			return
		}
		if w.now() >= w.cutUntil[server] && w.e.Advance(server) {
			w.fireWatches()
		}
		w.after(w.between(0, 20*time.Millisecond), step)
	}
	step()
}

// heal ends all that goes wrong.
func (w *world) heal() {
	w.calm = true
	w.steady.Store(true)
	w.awayUntil = 0
	clear(w.cutUntil)
	for server := range w.cutUntil {
		w.e.Lag(server, false)
	}
	w.fireWatches()
	for _, n := range w.conns {
		n.blockedTill = 0
	}
	for _, z := range w.zkines {
		w.thaw(z)
	}
}
