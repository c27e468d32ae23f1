package main

import (
	"context"
	"path/filepath"
	"time"

	"github.com/zkine/zkine/conformance/rig"
)

// stopLimit bounds how long a zkine may take to end.
const stopLimit = 2 * time.Minute

// newZkine describes a zkine on ZooKeepers.
func newZkine(program, name, zookeeper, dir string) (*rig.Zkine, error) {
	return rig.NewZkine(rig.ZkineConfig{Program: program, Name: name, ZooKeeper: zookeeper, DataDir: filepath.Join(dir, name)})
}

// stop ends a zkine in peace, if it runs.
func stop(ctx context.Context, z *rig.Zkine) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
	defer cancel()
	_, err := z.Stop(ctx)
	return err
}
