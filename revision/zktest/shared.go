package zktest

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/zkine/zkine/revision/embedded"
)

// shared is the server that all tests of a binary may use.
var shared struct {
	mu     sync.Mutex
	main   bool // Main runs, and will end it
	cfg    embedded.Config
	server *embedded.Server // nil until a test asks
}

var roots atomic.Int64

// Main runs a binary's tests and exits; it ends the shared server, if there was one.
func Main(m *testing.M) {
	shared.mu.Lock()
	shared.main = true
	shared.mu.Unlock()
	code := m.Run()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.server != nil {
		shared.server.Kill()
		os.RemoveAll(shared.cfg.DataDir)
	}
	os.Exit(code)
}

// Shared returns the server that all tests of the binary share, starting it for the first of them. A test
// that ends or pauses its server starts its own.
func Shared(t testing.TB) *Server {
	t.Helper()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if !shared.main {
		t.Fatal("zktest: Shared needs func TestMain(m *testing.M) { zktest.Main(m) }")
	}
	if shared.server == nil {
		startShared(t)
	}
	s := &Server{t: t, cfg: shared.cfg, running: shared.server, shared: true}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the end of the log of the shared ZooKeeper %s:\n%s", s.Addr(), s.LogTail(20))
		}
	})
	return s
}

// startShared starts the shared server; the caller holds the lock.
func startShared(t testing.TB) {
	t.Helper()
	dir, err := os.MkdirTemp("", "zktest-")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cfg := config(t, dir, nil)
	server, err := embedded.Start(ctx, cfg)
	if err != nil {
		t.Fatalf("zktest: %v", err)
	}
	shared.cfg, shared.server = cfg, server
}

// Root returns a root path on the shared server that no other test uses, and that does not exist yet.
func Root(t testing.TB) string {
	t.Helper()
	Shared(t)
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' {
			return r
		}
		return '-'
	}, t.Name())
	return fmt.Sprintf("/%s-%d", name, roots.Add(1))
}
