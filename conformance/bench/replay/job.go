package replay

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"time"

	"github.com/zkine/zkine/conformance/bench/load"
	"github.com/zkine/zkine/conformance/bench/trace"
)

// Job is what one process does.
type Job struct {
	File string // of the recording; "" is Kubernetes' control plane, which is part of this package
	// Endpoints are the store's members, host:port. A connection of the recording is one to its number modulo their
	// number: as if each API server of several asked the member beside it for its share of the resources.
	Endpoints []string
	// Before is how many times as fast as recorded what comes before the first phase of Phases is made, Speed is that of
	// the phases.
	Before, Speed float64
	Phases        []string // those that are measured, in order; what follows the last is left out
	Seed          uint64
	Servers       []int // processes whose processor time and memory is taken
}

// Result is what came of it.
type Result struct {
	Phases []Phase
	Events int64 // that watches brought
}

// Phase is what came of a phase.
type Phase struct {
	Name string
	load.Result
}

// Main is the process: a Job in, a Result out.
func Main(ctx context.Context, in io.Reader, out io.Writer) error {
	debug.SetGCPercent(400) // its collections would be the servers' loss
	var job Job
	if err := json.NewDecoder(in).Decode(&job); err != nil {
		return fmt.Errorf("read the job: %w", err)
	}
	result, err := Run(ctx, job)
	if err != nil {
		return fmt.Errorf("replay on %q: %w", job.Endpoints, err)
	}
	return json.NewEncoder(out).Encode(result)
}

// controlPlane is what a kube-apiserver asked of its etcd while 500 pods were deployed on 100 nodes, replaced and deleted.
// "go run ./kubesmoke -record" records it again.
//
//go:embed control-plane.trace.gz
var controlPlane []byte

func open(path string) (*trace.Trace, error) {
	file := controlPlane
	if path != "" {
		var err error
		if file, err = os.ReadFile(path); err != nil {
			return nil, err
		}
	}
	recorded, err := trace.Decode(bytes.NewReader(file))
	if err != nil {
		return nil, fmt.Errorf("recording %s: %w", path, err)
	}
	return recorded, nil
}

// Run replays a recording.
func Run(ctx context.Context, job Job) (Result, error) {
	recorded, err := open(job.File)
	if err != nil {
		return Result{}, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	p, err := newPlayer(job, recorded, cancel)
	if err != nil {
		return Result{}, err
	}
	defer p.close()
	if err := p.play(ctx); err != nil {
		return Result{}, err
	}
	if ctx.Err() != nil {
		return Result{}, context.Cause(ctx)
	}
	if err := p.checkWatches(ctx); err != nil {
		return Result{}, err
	}
	return Result{Phases: p.meter.phases, Events: p.events.Load()}, nil
}

// pace turns times of the recording into times of the replay.
type pace struct {
	before, speed float64
	fast          bool // the phases have not begun
	recorded      time.Duration
	due           time.Time
}

// at is when a request is due that was made at this time of the recording.
func (p *pace) at(recorded time.Duration) time.Time {
	speed := p.speed
	if p.fast {
		speed = p.before
	}
	p.due = p.due.Add(time.Duration(float64(recorded-p.recorded) / speed))
	p.recorded = recorded
	return p.due
}
