package main

import (
	"context"
	"fmt"

	"github.com/zkine/zkine/conformance/bench/contender"
)

// warmClients are the clients of the load before everything, which counts for nobody.
const warmClients = 50

// warm has the contenders take a load that is not measured, so that all are compared as they run for most of their
// life: a JVM that has just started spends most of its time on compiling. kine has nothing of the kind, and the bare
// ZooKeepers are zkine's.
func (b *bench) warm(ctx context.Context) error {
	for _, c := range b.contenders {
		if c.Kind == contender.Kine || c.Kind == contender.Bare || b.warmed == 0 {
			continue
		}
		if err := b.warmOne(ctx, c, updated); err != nil {
			return err
		}
	}
	return nil
}

// warmOne is one contender's part.
func (b *bench) warmOne(ctx context.Context, c *contender.Contender, data dataSet) error {
	if err := b.fill(ctx, c, data); err != nil {
		return err
	}
	job := b.job(c, "update", data)
	job.Clients, job.Duration = warmClients, b.warmed
	if _, err := run(ctx, c, job); err != nil {
		return fmt.Errorf("warm %s: %w", c.Name, err)
	}
	progress("%s is warm", c.Name)
	return nil
}
