package main

import (
	"context"
	"time"

	"github.com/zkine/zkine/conformance/rig"
	"github.com/zkine/zkine/revision/embedded"
)

// zooKeepers is how many servers the ensemble has.
const zooKeepers = 3

// startEnsemble starts several ZooKeepers as an operator runs them: tickTime 2000, initLimit 10, syncLimit 5, and each is
// started again by its supervisor when it has ended. It returns when all servers serve.
func startEnsemble(ctx context.Context, dir string) (*rig.ZooKeepers, error) {
	return rig.StartZooKeepers(ctx, zooKeepers, embedded.Config{
		DataDir: dir, Heap: 256 << 20, TickTime: 2 * time.Second,
		// zkine's own default for a single server is shorter than what ZooKeeper's sample has.
		Properties: map[string]string{"initLimit": "10", "syncLimit": "5"},
	})
}
