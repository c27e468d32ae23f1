package robustness

import (
	"context"
	"slices"
	"time"
)

// partitionTime is how long links are hurt: some session timeouts, and longer
// than ZooKeeper takes to give a silent server up.
const partitionTime = 6 * time.Second

// cutting is a fault of links, which hurt chooses; it lasts partitionTime.
func cutting(name string, hurt func(context.Context, *faultEnv)) Fault {
	return Fault{Name: name, network: true, apply: func(ctx context.Context, e *faultEnv) error {
		hurt(ctx, e)
		defer e.net.Mend()
		return lastFor(ctx, partitionTime)
	}}
}

// direction is which way between one node and others is hurt.
type direction int

const (
	both direction = iota
	out            // from the one
	in             // to the one
)

func (e *faultEnv) set(one *Node, others []*Node, d direction, l Link) {
	for _, other := range others {
		if other == one {
			continue
		}
		if d != in {
			e.net.Set(one, other, l)
		}
		if d != out {
			e.net.Set(other, one, l)
		}
	}
}

// zkineCut cuts a zkine off from all ZooKeepers.
func zkineCut(d direction) func(context.Context, *faultEnv) {
	return func(_ context.Context, e *faultEnv) {
		i := e.rand.IntN(len(e.Zkines))
		e.hit(e.Zkines[i])
		e.set(e.members[i], e.servers, d, Link{Cut: true})
	}
}

// zkineServerCut cuts a zkine off from the ZooKeeper that it is connected to.
func zkineServerCut(ctx context.Context, e *faultEnv) {
	i := e.rand.IntN(len(e.Zkines))
	e.hit(e.Zkines[i])
	for s, server := range e.ZooKeepers {
		if slices.Contains(e.clients(ctx, server), e.Zkines[i]) {
			e.set(e.members[i], e.servers[s:s+1], both, Link{Cut: true})
		}
	}
}

// serverCut cuts a ZooKeeper off from the others, but not from zkines.
func serverCut(leader bool, d direction) func(context.Context, *faultEnv) {
	return func(ctx context.Context, e *faultEnv) {
		s, server := e.server(leader)
		e.hitServers(ctx, server)
		e.set(e.servers[s], e.servers, d, Link{Cut: true})
	}
}

// hostGone cuts a ZooKeeper off from everybody: its machine lost power, or its
// network. Nobody resets connections then.
func hostGone(leader bool) func(context.Context, *faultEnv) {
	return func(ctx context.Context, e *faultEnv) {
		s, server := e.server(leader)
		e.hitServers(ctx, server)
		e.set(e.servers[s], slices.Concat(e.servers, e.members, []*Node{e.own}), both, Link{Cut: true})
	}
}

// everyLink hurts all links between zkines and ZooKeepers, and among those.
func everyLink(l Link) func(context.Context, *faultEnv) {
	return func(_ context.Context, e *faultEnv) {
		e.hit(e.Zkines...)
		for _, s := range e.servers {
			e.set(s, slices.Concat(e.servers, e.members), both, l)
		}
	}
}
