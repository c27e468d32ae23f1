package move

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// zkine runs a command of zkine's to its end.
func zkine(t testing.TB, args ...string) result {
	t.Helper()
	return finish(t, command(t, program(t), args...))
}

// mustZkine runs one that has to succeed.
func mustZkine(t testing.TB, args ...string) result {
	t.Helper()
	r := zkine(t, args...)
	require.Zero(t, r.code, "zkine %s\n%s", strings.Join(args, " "), r)
	return r
}

// refused runs a command that has to fail, with one line that contains the words.
func refused(t testing.TB, words []string, args ...string) result {
	t.Helper()
	r := zkine(t, args...)
	require.Positive(t, r.code, "zkine %s\n%s", strings.Join(args, " "), r)
	requireOneLine(t, r, words...)
	return r
}

// flags are those by which zkine finds it.
func (r root) flags() []string {
	return []string{"--zookeeper=" + r.zooKeeper, "--zookeeper-root=" + r.path}
}

// importArgs are those of an import into a root.
func (r root) importArgs(args ...string) []string {
	return append(append([]string{"import"}, r.flags()...), args...)
}

// importInto runs zkine import into a root, which has to succeed.
func (r root) importInto(t testing.TB, args ...string) result {
	t.Helper()
	return mustZkine(t, r.importArgs(args...)...)
}

// exportArgs are those of an export of the root that a zkine serves.
func (s *store) exportArgs(args ...string) []string {
	return append(append([]string{"export"}, s.root.flags()...), args...)
}

// export has zkine write a snapshot of a root.
func (s *store) export(t testing.TB, flags ...string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "exported.db")
	mustZkine(t, s.exportArgs(append(flags, "--snapshot="+path)...)...)
	return path
}
