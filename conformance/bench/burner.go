package main

import (
	"context"
	"os"
	"runtime"

	"github.com/zkine/zkine/conformance/rig"
)

// burnCommand makes this program the work that goes on beside a measurement.
const burnCommand = "burn"

// startBurner has a process keep all processors busy until it is killed: what a machine does that builds or computes
// beside its store. Its priority is the store's, since that is where each further thread of a request's way shows: it has
// to wait for its turn. Work of the lowest priority gives way at once, and made no difference that could be told.
func startBurner() (*rig.Process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return rig.Start(rig.Program{Name: "burner", Path: self, Args: []string{burnCommand}})
}

// burn computes on every processor until ctx ends.
func burn(ctx context.Context) {
	for range runtime.NumCPU() {
		go func() {
			for ctx.Err() == nil {
			}
		}()
	}
	<-ctx.Done()
}
