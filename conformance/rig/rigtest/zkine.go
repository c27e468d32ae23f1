// Package rigtest runs this checkout's zkine inside a test: a process of its own, built with the race detector, on a
// real ZooKeeper. It is package rig with the lifetime of a test.
//
// It imports package rig, and package zktest of zkine.
package rigtest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zkine/zkine/conformance/rig"
	"github.com/zkine/zkine/revision/zktest"
)

// patience bounds every wait for what must come; a loaded machine is slow, not wrong.
const patience = 2 * time.Minute

// buildPatience is for a machine that builds much else.
const buildPatience = 10 * time.Minute

var build = sync.OnceValues(func() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), buildPatience)
	defer cancel()
	return rig.BuildZkine(ctx, "-race")
})

// Program is this checkout's zkine with the race detector.
func Program(t testing.TB) string {
	t.Helper()
	program, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// named counts the zkines that got a name here: those on one root need different ones.
var named atomic.Int64

// Zkine is a zkine of a test, which may be killed and started again, on the same ports and root.
type Zkine struct {
	*rig.Zkine
	t testing.TB
}

// Start starts a zkine on a new root of the shared ZooKeeper (zktest.Shared), and waits until it serves. It is stopped
// when the test ends.
func Start(t testing.TB, args ...string) *Zkine {
	t.Helper()
	return StartOn(t, zktest.Shared(t).Addr(), zktest.Root(t), args...)
}

// StartOn does the same on a root of any ZooKeeper.
func StartOn(t testing.TB, zookeeper, root string, args ...string) *Zkine {
	t.Helper()
	return StartAs(t, rig.ZkineConfig{
		ZooKeeper: zookeeper, Root: root, Args: append([]string{"--zookeeper-session-timeout=2s"}, args...),
	})
}

// StartAs does the same with any configuration; a program, a name and a folder are chosen if there are none.
func StartAs(t testing.TB, c rig.ZkineConfig) *Zkine {
	t.Helper()
	if c.Program == "" {
		c.Program = Program(t)
	}
	if c.DataDir == "" {
		c.DataDir = t.TempDir()
	}
	if c.Name == "" {
		c.Name = fmt.Sprint("z", named.Add(1))
	}
	described, err := rig.NewZkine(c)
	if err != nil {
		t.Fatal(err)
	}
	z := &Zkine{described, t}
	t.Cleanup(z.end)
	z.Start()
	return z
}

// Start starts the zkine again after it has ended, and waits until it serves.
func (z *Zkine) Start() {
	z.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := z.Up(ctx); err != nil {
		z.t.Fatal(err)
	}
}

// Kill ends the zkine as a power cut would.
func (z *Zkine) Kill() {
	z.t.Helper()
	z.Process.Kill()
	z.check()
}

// end stops the zkine, whose exit code must be that of a clean end.
func (z *Zkine) end() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	code, err := z.Stop(ctx)
	z.check()
	if err != nil || code > 0 { // -1: a test had killed it
		z.t.Errorf("zkine ended with %d, %v", code, err)
	}
	if z.t.Failed() {
		z.t.Logf("zkine at %s printed:\n%.20000s", z.Endpoint, z.Output())
	}
}

// check fails the test if the zkine has printed of a race or a panic.
func (z *Zkine) check() {
	z.t.Helper()
	if err := z.CheckOutput(); err != nil {
		z.t.Error(err)
	}
}

// Probe asks a metrics URL and returns the status code.
func (z *Zkine) Probe(path string) int {
	z.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	code, _, err := rig.Probe(ctx, "http://"+z.Metrics+path)
	if err != nil {
		z.t.Fatal(err)
	}
	return code
}
