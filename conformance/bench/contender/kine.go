package contender

import (
	"context"
	"path/filepath"

	"github.com/zkine/zkine/conformance/rig"
)

// startKine starts a kine on a SQLite file of its own. synchronous is SQLite's: with NORMAL, kine's default, a commit
// is acknowledged before it is on the disk; with FULL it is fsynced first, as the others' are.
func startKine(synchronous string) func(context.Context, *Stage, *Contender) error {
	return func(ctx context.Context, s *Stage, c *Contender) error {
		dir, err := s.folder(c.Name)
		if err != nil {
			return err
		}
		addresses, err := rig.FreeAddresses(1)
		if err != nil {
			return err
		}
		// kine's own parameters (pkg/drivers/sqlite DefaultParams), but for synchronous.
		source := "sqlite://" + filepath.Join(dir, "state.db") +
			"?_journal_mode=WAL&_busy_timeout=30000&_synchronous=" + synchronous + "&_txlock=immediate&_stmt_cache_size=20&cache=shared"
		p := rig.New(rig.Program{Path: s.Programs.Kine, Args: []string{
			"--listen-address=tcp://" + addresses[0], "--endpoint=" + source, "--metrics-bind-address=0",
		}})
		s.stopLater(p)
		c.locate, c.servers = at(addresses[0]), []server{p}
		if err := p.Start(); err != nil {
			return err
		}
		return p.AwaitServing(ctx, addresses[0])
	}
}
