package simulation

import (
	"slices"
	"time"

	"github.com/go-zookeeper/zk"
)

// hangUp is what becomes of a connection that the zkine has closed: the session
// ends once what was sent before has arrived, if the news gets through.
func (w *world) hangUp(n *conn) {
	if !w.calm && w.oneIn(4) {
		w.orphan(n)
		return
	}
	n.endWatches()
	w.at(max(n.lastArrival+1, w.now()+w.latency()), n.expire)
}

// sever ends the connection. Of what was sent, some may arrive late; the session
// expires later.
func (w *world) sever(n *conn) {
	if n.shut() {
		w.orphan(n)
	}
}

func (w *world) orphan(n *conn) {
	n.endWatches()
	kept := w.rng.IntN(len(n.queue) + 1)
	n.queue = n.queue[:kept]
	if w.oneIn(2) {
		n.blockedTill = w.now() + w.between(0, sessionTimeout)
	}
	for range kept {
		w.at(max(n.blockedTill, w.now())+w.latency(), n.arrive)
	}
	w.after(sessionTimeout+w.between(0, time.Second), n.expire)
}

// expire ends the session in the ensemble. A zkine that still has a connection
// hears of it.
func (n *conn) expire() {
	if n.expired {
		return
	}
	n.expired = true
	n.queue = nil
	n.inner.Close()
	n.w.step(n, "session ends")
	n.w.conns = slices.DeleteFunc(n.w.conns, func(o *conn) bool { return o == n })
	n.w.fireWatches()
	n.w.after(n.w.latency(), func() { n.life.z.whenAwake(func() { n.w.sever(n) }) })
}

func (n *conn) endWatches() {
	for _, t := range n.watches {
		select {
		case t.outer <- zk.Event{Type: zk.EventNotWatching}:
		default:
		}
	}
	n.watches = nil
}

// fireWatches passes on what watches have to tell by now, later or never.
func (w *world) fireWatches() {
	for _, n := range w.conns {
		for _, t := range n.watches {
			if t.fired {
				continue
			}
			select {
			case e := <-t.inner:
				t.fired = true
				if !w.calm && w.oneIn(w.profile.loseWatch) {
					w.count("watch lost")
					continue
				}
				w.after(w.latency(), func() {
					n.life.z.whenAwake(func() {
						select {
						case t.outer <- e:
						default: // the connection has ended
						}
					})
				})
			default:
			}
		}
	}
}
