package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"

	"github.com/zkine/zkine/conformance/bench/contender"
	"github.com/zkine/zkine/conformance/bench/load"
)

// toolArgs are the arguments of etcd's own benchmark for the plans that begin with "tool-". It does so many requests,
// not as many as fit into a time; and each client puts the same value all the time.
var toolArgs = map[string][]string{
	"tool-put":          {"put", "--key-space-size=10000", "--val-size=1024"},
	"tool-txn-put":      {"txn-put", "--txn-ops=1", "--key-space-size=10000", "--val-size=1024"},
	"tool-range":        {"range", "/registry/updated/ns-42/pod-0000042", "--consistency=l"},
	"tool-range-serial": {"range", "/registry/updated/ns-42/pod-0000042", "--consistency=s"},
}

// toolPerClient and toolFewest say how many requests a turn has.
const (
	toolPerClient = 300
	toolFewest    = 2000
)

// toolTurn has etcd's own benchmark load a contender.
func (b *bench) toolTurn(ctx context.Context, c *contender.Contender, p point) (r load.Result, err error) {
	endpoint, err := c.Endpoint(ctx)
	if err != nil {
		return r, err
	}
	total := max(toolFewest, toolPerClient*p.clients)
	args := append([]string{
		"--endpoints=" + endpoint, fmt.Sprintf("--conns=%d", min(p.clients, connections)), fmt.Sprintf("--clients=%d", p.clients),
	}, toolArgs[p.planName()]...)
	cmd := exec.CommandContext(ctx, b.programs.Benchmark, append(args, fmt.Sprintf("--total=%d", total))...)
	before, err := load.CPU(c.Pids())
	if err != nil {
		return r, err
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return r, fmt.Errorf("etcd's benchmark on %s: %w\n%s", c.Name, err, out)
	}
	after, err := load.CPU(c.Pids())
	if err != nil {
		return r, err
	}
	if r, err = readTool(out, total); err != nil {
		return r, fmt.Errorf("etcd's benchmark on %s: %w:\n%s", c.Name, err, out)
	}
	r.ServerCPU = after - before
	r.ClientCPU = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	return r, nil
}

// readTool reads what the benchmark printed.
func readTool(out []byte, total int) (r load.Result, err error) {
	if bytes.Contains(out, []byte("Error distribution")) {
		return r, errors.New("requests were refused")
	}
	perSecond, err := numberIn(out, `Requests/sec:\s+([0-9.]+)`)
	if err != nil {
		return r, err
	}
	r.Ops, r.Seconds = int64(total), float64(total)/perSecond
	for percent, into := range map[string]*float64{"50": &r.Latency.P50, "90": &r.Latency.P90, "99": &r.Latency.P99, `99\.9`: &r.Latency.P999} {
		s, err := numberIn(out, `\s`+percent+`% in ([0-9.]+) secs`)
		if err != nil {
			return r, err
		}
		*into = s * 1000
	}
	return r, nil
}

func numberIn(out []byte, pattern string) (float64, error) {
	match := regexp.MustCompile(pattern).FindSubmatch(out)
	if match == nil {
		return 0, fmt.Errorf("%q is not there", pattern)
	}
	return strconv.ParseFloat(string(match[1]), 64)
}
