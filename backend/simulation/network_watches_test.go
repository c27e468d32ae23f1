package simulation

import "github.com/go-zookeeper/zk"

// watch is a watch between the ensemble and a zkine.
type watch struct {
	inner <-chan zk.Event
	outer chan zk.Event // has room for one
	fired bool
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
