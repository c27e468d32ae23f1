package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"time"
)

// checks runs everything in order. Without a control plane nothing else makes sense; after that each check stands
// alone.
func checks(s *suite, c *cluster, o options) {
	if !s.check(c.store.Name+" starts", func(ctx context.Context) (string, error) { return "", c.store.up(ctx) }) ||
		!s.check("kube-apiserver starts", c.startAPIServer) ||
		!s.check("controller manager and scheduler start", func(ctx context.Context) (string, error) { return "", c.startControllers(ctx) }) ||
		!s.check("a node registers and becomes ready", func(ctx context.Context) (string, error) { return "", c.startNode(ctx) }) {
		return
	}
	// These two mostly wait.
	s.alongside("an Event expires with its lease", c.checkExpiry)
	s.alongside("compaction expires old pages", c.checkCompaction)

	s.check("version and readiness", c.checkVersion)
	s.check("objects with kubectl", c.checkObjects)
	s.check("conflicting writes are refused", c.checkConflict)
	s.check("lists in pages", c.checkPaging)
	s.check("watch", c.checkWatch)
	s.check("kubectl get -w", c.checkKubectlWatch)
	s.check("server-side apply and its conflict", c.checkApply)
	s.check("custom resources", c.checkCustomResources)
	s.check("a Deployment's pods are scheduled", c.workload("smoke-workload"))
	s.check("a namespace is deleted", c.checkNamespaceDeletion)
	s.join()

	s.check("what the store was asked for", func(ctx context.Context) (string, error) {
		traffic, err := c.storeTraffic(ctx)
		fmt.Fprint(s.out, traffic)
		return "see above", err
	})
	if !disrupted(s, c, o) {
		return
	}
	s.check("a Deployment after all that", c.workload("smoke-workload-after"))
	s.check("everything is deleted", c.checkAllGone)
	s.check("health at the end", c.checkHealth)
	if c.store.embeds != "" {
		s.check(leaderLossCheck, checkLeaderLoss(filepath.Dir(c.store.Log), c.programs))
	}
}

const leaderLossCheck = "three leaders of ZooKeeper lost in 65 s"

// startAPIServer measures how long the API server takes on an empty store.
func (c *cluster) startAPIServer(ctx context.Context) (string, error) {
	if err := c.apiserver.Start(); err != nil {
		return "", err
	}
	took, err := timed(func() error { return c.ready(ctx, serverStartLimit) })
	return fmt.Sprintf("ready after %s", short(took)), err
}

// disrupted hurts the store in each way, the likeliest more than once: a store that has recovered once has a
// different log than a fresh one. It says whether the cluster has come back.
func disrupted(s *suite, c *cluster, o options) bool {
	var d *disruptions
	if !s.check("writers and a follower", func(ctx context.Context) (string, error) {
		var err error
		d, err = newDisruptions(ctx, c, o.seed)
		return fmt.Sprintf("%d writers, seed %d", writerCount, o.seed), err
	}) {
		return true
	}
	all := d.kinds()
	for _, kind := range all {
		for i := range kind.times {
			if !s.check(fmt.Sprintf("%s, %d", kind.name, i+1), d.survive(kind.hit)) && !cameBack(s, c) {
				return false
			}
		}
	}
	random := rand.New(rand.NewPCG(o.seed, writerCount))
	for until := time.Now().Add(o.soak); time.Now().Before(until) && s.ctx.Err() == nil; {
		kind := all[random.IntN(len(all))]
		if !s.check(kind.name+", soak", d.survive(kind.hit)) && !cameBack(s, c) {
			return false
		}
	}
	return true
}

// cameBack checks that a disruption that went wrong has not ended everything: the rest would only repeat it.
func cameBack(s *suite, c *cluster) bool {
	return s.check("the cluster comes back all the same", func(ctx context.Context) (string, error) {
		if err := c.alive(); err != nil {
			return "", err
		}
		return "", c.ready(ctx, recoveryLimit)
	})
}
