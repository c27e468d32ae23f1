package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/zkine/zkine/conformance/rig"
)

// stopLimit is how long a process may take to end after SIGTERM before it is killed. kube-apiserver takes its time.
const stopLimit = 20 * time.Second

// newProcess describes a program; the log of all its lives will be <dir>/<name>.log.
func newProcess(dir, name, path string, args ...string) *rig.Process {
	return rig.New(rig.Program{Name: name, Path: path, Args: args, Log: logPath(dir, name)})
}

func logPath(dir, name string) string { return filepath.Join(dir, name+".log") }

// ended is a hopeless error once a process has ended by itself, nil while it runs.
func ended(p *rig.Process) error {
	if err := p.Ended(); err != nil {
		return hopeless{err}
	}
	return nil
}

// stop ends a process with SIGTERM, or with SIGKILL after stopLimit, which is an error. It does nothing to one that
// does not run.
func stop(p *rig.Process) error {
	ctx, cancel := context.WithTimeoutCause(context.Background(), stopLimit, fmt.Errorf("not within %v of SIGTERM", stopLimit))
	defer cancel()
	_, err := p.Stop(ctx)
	return err
}
