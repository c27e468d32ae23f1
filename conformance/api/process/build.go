package process

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

// Zkine builds this checkout's zkine, with the race detector if asked, and returns the executable.
func Zkine(ctx context.Context, race bool) (string, error) {
	root, err := Checkout()
	if err != nil {
		return "", err
	}
	return build(ctx, root, "./cmd/zkine", race)
}

// Components builds programs of conformance/components, by the names that its build.sh knows, unless that was done
// already, and returns the folder that they are in.
func Components(ctx context.Context, names ...string) (string, error) {
	root, err := Checkout()
	if err != nil {
		return "", err
	}
	out, err := exec.CommandContext(ctx, filepath.Join(root, "conformance", "components", "build.sh"), names...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build %v: %w\n%s", names, err, out)
	}
	return filepath.Join(root, ".cache", "bin"), nil
}

// build compiles a command of the module in dir. The executable stays in Go's build cache, where "go run" keeps what
// it links since Go 1.24: nothing is left to be cleaned up, and what did not change is not linked again.
func build(ctx context.Context, dir, pkg string, race bool) (string, error) {
	// The run that links it still has the executable elsewhere; the second one has it in the cache.
	if _, err := goRun(ctx, dir, "true", pkg, race); err != nil {
		return "", err
	}
	return goRun(ctx, dir, "echo", pkg, race)
}

// goRun has go run a program in place of the built one, which that gets as its argument, and returns its output.
func goRun(ctx context.Context, dir, program, pkg string, race bool) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "run", fmt.Sprintf("-race=%t", race), "-exec", program, pkg)
	cmd.Dir = dir
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", pkg, err, stderr.String())
	}
	return strings.TrimSpace(string(out)), nil
}
