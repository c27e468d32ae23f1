package rig

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Checkout returns the root of zkine's checkout, found from the working folder upwards.
func Checkout() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "cmd", "zkine", "main.go")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("not inside a checkout of zkine: no folder above holds cmd/zkine")
		}
		dir = parent
	}
}

// Component is the path that a program of conformance/components has once BuildComponents has built it.
func Component(name string) (string, error) {
	root, err := Checkout()
	if err != nil {
		return "", err
	}
	return filepath.Join(root, ".cache", "bin", name), nil
}

// BuildComponents builds programs of conformance/components, by the names that its build.sh knows, unless that was done
// already.
func BuildComponents(ctx context.Context, names ...string) error {
	root, err := Checkout()
	if err != nil {
		return err
	}
	build := exec.CommandContext(ctx, filepath.Join(root, "conformance", "components", "build.sh"), names...)
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build %v: %w\n%s", names, err, out)
	}
	return nil
}

// BuildZkine builds this checkout's zkine with flags of "go build", such as -race, and returns the executable. It stays
// in Go's build cache, where "go run" keeps what it links since Go 1.24: nothing is left to be cleaned up, and what did
// not change is not linked again.
func BuildZkine(ctx context.Context, flags ...string) (string, error) {
	root, err := Checkout()
	if err != nil {
		return "", err
	}
	// A run that links it has the executable elsewhere, which goes with that run; the next one has it in the cache, unless
	// a file has changed between the two.
	for range mostLinks {
		program, err := runBuilt(ctx, root, flags)
		if err != nil {
			return "", err
		}
		if _, err := os.Stat(program); err == nil {
			return program, nil
		}
	}
	return "", fmt.Errorf("build zkine: Go's cache has kept none of %d executables", mostLinks)
}

// mostLinks bounds how often BuildZkine looks for what it has linked.
const mostLinks = 10

// runBuilt has go run echo in place of zkine, whose path is its argument, and returns that.
func runBuilt(ctx context.Context, root string, flags []string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", append(append([]string{"run"}, flags...), "-exec", "echo", "./cmd/zkine")...)
	cmd.Dir = root
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("build zkine: %w\n%s", err, stderr.String())
	}
	return strings.TrimSpace(string(out)), nil
}
