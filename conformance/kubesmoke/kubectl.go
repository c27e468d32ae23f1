package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// kubectlLimit bounds one call of kubectl, among them those that wait for deletion.
const kubectlLimit = 3 * time.Minute

// kubectl runs the real kubectl as the cluster's administrator.
type kubectl struct {
	path       string
	kubeconfig string
	cache      string // its folder for what it learnt about the API
}

func newKubectl(dir, path, kubeconfig string) *kubectl {
	return &kubectl{path: path, kubeconfig: kubeconfig, cache: filepath.Join(dir, "kubectl-cache")}
}

// arguments puts the connection before a command.
func (k *kubectl) arguments(args []string) []string {
	return append([]string{"--kubeconfig", k.kubeconfig, "--cache-dir", k.cache}, args...)
}

// run returns kubectl's standard output. If it fails, the error holds its standard error.
func (k *kubectl) run(ctx context.Context, args ...string) (string, error) {
	return k.feed(ctx, "", args...)
}

// feed is run with a manifest on standard input, for -f -.
func (k *kubectl) feed(ctx context.Context, manifest string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, kubectlLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, k.path, k.arguments(args)...)
	var out, fault bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(manifest), &out, &fault
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(fault.String()))
	}
	return out.String(), nil
}

// all runs commands, each given as one text with blanks between the arguments, until one fails.
func (k *kubectl) all(ctx context.Context, commands ...string) error {
	for _, command := range commands {
		if _, err := k.run(ctx, strings.Fields(command)...); err != nil {
			return err
		}
	}
	return nil
}

// expect runs a command and compares its output, without blanks at the ends.
func (k *kubectl) expect(ctx context.Context, want string, args ...string) error {
	got, err := k.run(ctx, args...)
	if err != nil {
		return err
	}
	if got = strings.TrimSpace(got); got != want {
		return fmt.Errorf("kubectl %s printed %q, not %q", strings.Join(args, " "), got, want)
	}
	return nil
}

// expectRefusal runs a command that has to fail with a text in its standard error.
func (k *kubectl) expectRefusal(ctx context.Context, manifest, want string, args ...string) error {
	_, err := k.feed(ctx, manifest, args...)
	if err == nil {
		return fmt.Errorf("kubectl %s succeeded, where %q was due", strings.Join(args, " "), want)
	}
	if !strings.Contains(err.Error(), want) {
		return fmt.Errorf("no %q in: %w", want, err)
	}
	return nil
}
