package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

const (
	// recoveryLimit is how long the cluster may need after a disruption until every write is acknowledged again.
	recoveryLimit = 90 * time.Second
	// freeze is how long a store is stopped: longer than its ZooKeeper session lasts.
	freeze = 20 * time.Second
	// Acknowledged writes before and after a disruption.
	writesBefore = 150
	writesAfter  = 300

	writerCount = 6
)

// disruptions hurts the store while writers work, again and again, and judges after each time.
type disruptions struct {
	cluster   *cluster
	namespace string
	ledger    *ledger
	writers   []*writer
	follower  *reflector
}

// newDisruptions makes the namespace, the writers and the follower, which runs until ctx ends.
func newDisruptions(ctx context.Context, c *cluster, seed uint64) (*disruptions, error) {
	d := &disruptions{cluster: c, namespace: "smoke-disruptions", ledger: newLedger()}
	if err := c.kubectl.all(ctx, "create namespace "+d.namespace); err != nil {
		return nil, err
	}
	for i := range writerCount {
		d.writers = append(d.writers, &writer{
			api:       c.api,
			ledger:    d.ledger,
			namespace: d.namespace,
			prefix:    fmt.Sprintf("w%d", i),
			random:    rand.New(rand.NewPCG(seed, uint64(i))),
		})
	}
	d.follower = &reflector{api: c.api, path: configMaps(d.namespace)}
	go d.follower.run(ctx)
	return d, nil
}

// disruption is one way to hurt the store.
type disruption struct {
	name  string
	hit   func(context.Context) error
	times int // in an ordinary run
}

// kinds lists the ways in which this store can be hurt.
func (d *disruptions) kinds() []disruption {
	s := d.cluster.store
	all := []disruption{
		{"undisturbed", func(context.Context) error { return nil }, 1},
		{s.Name + " killed", d.killStore, 3},
		{s.Name + " restarted", d.restartStore, 1},
		{fmt.Sprintf("%s frozen for %v", s.Name, freeze), d.freezeStore, 1},
	}
	if s.embeds == "" {
		return all
	}
	return append(all,
		disruption{"ZooKeeper killed", d.killZooKeeper, 3},
		disruption{"ZooKeeper and " + s.Name + " killed", d.killBoth, 1})
}

// survive is a step: writers write, hit disrupts, writers have to get on, and everything acknowledged has to be there.
func (d *disruptions) survive(hit func(context.Context) error) step {
	return func(ctx context.Context) (string, error) {
		d.ledger.begin()
		ws := startWriters(ctx, d.writers)
		note, err := d.through(ctx, hit)
		ws.finish()
		if err != nil {
			return note, err
		}
		listed, err := d.cluster.listed(ctx, d.namespace)
		if err != nil {
			return note, err
		}
		if err := d.ledger.judge(listed); err != nil {
			return note, err
		}
		return note, d.cluster.agree(ctx, d.namespace, listed, d.follower)
	}
}

// through waits for writes before and after the hit.
func (d *disruptions) through(ctx context.Context, hit func(context.Context) error) (string, error) {
	if err := d.acknowledge(ctx, writesBefore); err != nil {
		return "", err
	}
	before := d.ledger.counted().acknowledged
	at := time.Now()
	if err := hit(ctx); err != nil {
		return "", err
	}
	if err := d.acknowledge(ctx, before+writesAfter); err != nil {
		return "", err
	}
	if err := d.cluster.ready(ctx, recoveryLimit); err != nil {
		return "", err
	}
	took := time.Since(at)
	counts := d.ledger.counted()
	return fmt.Sprintf("no write for %s; ready and %d writes after %s; %d acknowledged, %d unclear or refused",
		short(counts.stall), writesAfter, short(took), counts.acknowledged, counts.unclear), nil
}

// acknowledge waits until so many writes of this round have been acknowledged.
func (d *disruptions) acknowledge(ctx context.Context, n int) error {
	return until(ctx, recoveryLimit, "writes are acknowledged", func(context.Context) error {
		if err := d.cluster.alive(); err != nil {
			return err
		}
		if got := d.ledger.counted().acknowledged; got < n {
			return fmt.Errorf("%d of %d", got, n)
		}
		return nil
	})
}

// killStore ends the store as a power cut would and starts it again.
func (d *disruptions) killStore(ctx context.Context) error {
	s := d.cluster.store
	if err := s.Ended(); err != nil {
		return err
	}
	s.Kill()
	return d.cluster.store.up(ctx)
}

// restartStore ends the store in order and starts it again.
func (d *disruptions) restartStore(ctx context.Context) error {
	if err := stop(d.cluster.store.Process); err != nil {
		return err
	}
	return d.cluster.store.up(ctx)
}

// freezeStore stops the store's clock, as a suspended virtual machine's.
func (d *disruptions) freezeStore(ctx context.Context) error {
	d.cluster.store.Freeze()
	pause(ctx, freeze)
	d.cluster.store.Thaw()
	return d.cluster.store.Ended()
}

// killZooKeeper ends only the ZooKeeper; its zkine has to notice and start it again.
func (d *disruptions) killZooKeeper(context.Context) error {
	return d.cluster.store.killZooKeeper()
}

// killBoth is a power cut.
func (d *disruptions) killBoth(ctx context.Context) error {
	// zkine first: it would start a new ZooKeeper at once.
	d.cluster.store.Freeze()
	if err := d.cluster.store.killZooKeeper(); err != nil {
		return err
	}
	return d.killStore(ctx)
}
