package rig

import (
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"slices"
)

// ZkineConfig says how a zkine is started.
type ZkineConfig struct {
	// Program is the executable, as BuildZkine makes it.
	Program string
	// Within is a command that runs the one that its arguments end with, such as unshare; zkine's is put there.
	Within []string
	// Name is its member name, and the process's.
	Name string
	// Host is the address that it listens on; "" is the loopback interface.
	Host string
	// ZooKeeper holds host:port addresses with commas; "" lets zkine start one of its own.
	ZooKeeper string
	// Root is its root in ZooKeeper; "" is zkine's default.
	Root string
	// DataDir is the folder that it may write to.
	DataDir string
	// Args come last, and so win.
	Args []string
	// Env, Log and StartIn are the Program's.
	Env     []string
	Log     string
	StartIn func(*exec.Cmd) error
}

// Zkine is a zkine that is started, ended, and started again on the same ports, root and folder.
type Zkine struct {
	*Process
	// Endpoint is where clients reach it, host:port, running or not.
	Endpoint string
	// Metrics is where health and metrics are, host:port.
	Metrics string
}

// NewZkine describes a zkine that does not run yet.
func NewZkine(c ZkineConfig) (*Zkine, error) {
	host := c.Host
	if host == "" {
		host = loopback
	}
	client, err := FreeAddress(host)
	if err != nil {
		return nil, err
	}
	metrics, err := FreeAddress(host)
	if err != nil {
		return nil, err
	}
	args := []string{
		"server", "--name=" + c.Name, "--data-dir=" + c.DataDir,
		"--listen-client-urls=http://" + client, "--listen-metrics-urls=http://" + metrics,
	}
	if c.ZooKeeper != "" {
		args = append(args, "--zookeeper="+c.ZooKeeper)
	}
	if c.Root != "" {
		args = append(args, "--zookeeper-root="+c.Root)
	}
	command := slices.Concat(c.Within, []string{c.Program}, args, c.Args)
	return &Zkine{
		Process:  New(Program{Name: c.Name, Path: command[0], Args: command[1:], Env: c.Env, Log: c.Log, StartIn: c.StartIn}),
		Endpoint: client, Metrics: metrics,
	}, nil
}

// Up starts the zkine and returns when it has answered a client's first linearizable read.
func (z *Zkine) Up(ctx context.Context) error {
	if err := z.Start(); err != nil {
		return err
	}
	return z.AwaitServing(ctx)
}

// AwaitServing waits for that read of a zkine that was started.
func (z *Zkine) AwaitServing(ctx context.Context) error {
	return z.Process.AwaitServing(ctx, z.Endpoint)
}

// Check asks for a health check, such as /readyz, and returns what is wrong.
func (z *Zkine) Check(ctx context.Context, path string) error {
	if err := z.Ended(); err != nil {
		return err
	}
	code, why, err := Probe(ctx, "http://"+z.Metrics+path)
	if err != nil {
		return fmt.Errorf("%s is not up: %w", z.Name, err)
	}
	if code != http.StatusOK {
		return fmt.Errorf("%s is not ready: %s", z.Name, why)
	}
	return nil
}

// AwaitReady waits until the zkine says that it serves linearizable reads.
func (z *Zkine) AwaitReady(ctx context.Context) error {
	return Poll(ctx, func() error { return z.Check(ctx, "/readyz") })
}

// AwaitUnready waits until the zkine says that it has lost ZooKeeper.
func (z *Zkine) AwaitUnready(ctx context.Context) error {
	return Poll(ctx, func() error {
		if z.Check(ctx, "/readyz/backend") == nil {
			return fmt.Errorf("%s is still ready", z.Name)
		}
		return z.Ended()
	})
}
