package load

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"runtime/debug"
	"time"
)

// Job is what one process does.
type Job struct {
	Workload string // a key of plans
	Endpoint string // host:port
	Dialect  string // Kine or Bare change the requests

	Clients     int
	Connections int     // at most; clients beyond share them
	Rate        float64 // operations a second of all clients on a schedule; 0 is flat out
	Watchers    int
	Ops         int64 // that each client does at most; 0 is as many as it can

	Warmup   time.Duration // load that is not counted
	Duration time.Duration
	Keys     int    // of the data set
	Prefix   string // of its keys
	Value    int    // bytes of a value
	Seed     uint64

	// Servers are the processes whose CPU time is taken while the clock runs.
	Servers []int
}

// Dialects that differ from etcd's.
const (
	Kine = "kine"
	Bare = "bare"
)

// Result is what came of a job.
type Result struct {
	Seconds   float64 // that the clock ran
	Ops       int64
	Latency   Summary // of operations; from when they were due, if there was a schedule
	Reads     Summary `json:",omitzero"` // of gets, where Latency is of writes alone
	Items     int64   // keys listed, or events delivered
	Bytes     int64   // of the replies that carried them
	Delivery  Summary // from put to event
	ServerCPU float64 // seconds
	ClientCPU float64 // seconds
	OthersCPU float64 // seconds that everything else on the machine burned
	// Memory is what the servers held right after the load, in bytes, MemoryBefore what they held before any. Who runs
	// the job adds the latter.
	Memory, MemoryBefore int64
}

// Main is the process: a Job in, a Result out.
func Main(ctx context.Context, in io.Reader, out io.Writer) error {
	// It has little on its heap, and its collections would be the servers' loss.
	debug.SetGCPercent(800)
	var job Job
	if err := json.NewDecoder(in).Decode(&job); err != nil {
		return fmt.Errorf("read the job: %w", err)
	}
	result, err := run(ctx, job)
	if err != nil {
		return fmt.Errorf("%s on %s: %w", job.Workload, job.Endpoint, err)
	}
	return json.NewEncoder(out).Encode(result)
}

// checkLimit bounds what a plan does before and after the clock runs.
const checkLimit = 4 * time.Minute

func run(ctx context.Context, job Job) (result Result, err error) {
	newPlan, ok := plans[job.Workload]
	if !ok {
		return result, fmt.Errorf("no workload %q", job.Workload)
	}
	p := newPlan(job)
	defer p.close()
	if err := limited(ctx, p.prepare); err != nil {
		return result, fmt.Errorf("prepare: %w", err)
	}
	result, err = pace(ctx, job, p)
	if err != nil {
		return result, err
	}
	if result.Memory, err = Resident(job.Servers); err != nil {
		return result, err
	}
	if err := limited(ctx, func(ctx context.Context) error { return p.check(ctx, &result) }); err != nil {
		return result, fmt.Errorf("check: %w", err)
	}
	return result, nil
}

func limited(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	return do(ctx)
}
