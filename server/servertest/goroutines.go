package servertest

import (
	"context"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Soon bounds waiting for a condition that must come true.
const Soon = 20 * time.Second

// Context is for calls of a test; it ends with the test, and after Soon.
func Context(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), Soon)
	t.Cleanup(cancel)
	return ctx
}

// RequireNothingRuns waits until no goroutine of package server, or of one below
// it, is left but those of tests.
func RequireNothingRuns(t *testing.T) {
	t.Helper()
	var left string
	require.Eventually(t, func() bool {
		left = leftovers()
		return left == ""
	}, Soon, time.Millisecond, "goroutines left behind")
}

// watched are the functions' names of which none may be on a stack.
var watched = []string{
	"zkine/server.", "zkine/server/v3rpc.", "zkine/server/listener.", "zkine/server/wire.",
	"internal/transport.NewServerTransport",
}

func leftovers() string {
	for _, stack := range strings.Split(Stacks(), "\n\n") {
		ours := slices.ContainsFunc(watched, func(name string) bool { return strings.Contains(stack, name) })
		if ours && !strings.Contains(stack, "testing.tRunner") {
			return stack
		}
	}
	return ""
}

// Stacks are the stacks of all goroutines.
func Stacks() string {
	buf := make([]byte, 1<<20)
	return string(buf[:runtime.Stack(buf, true)])
}
