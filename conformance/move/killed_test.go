package move

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/sync/errgroup"

	"github.com/zkine/zkine/conformance/rig"
)

const (
	// killedObjects make a transfer long enough to be killed in the middle.
	killedObjects = 8000
	// kills is how often one is killed before it may end.
	kills = 8
)

// bulk puts many objects of 3 KiB besides some of everything.
func bulk(t testing.TB) *store {
	t.Helper()
	s := newEtcd(t)
	newWriter(t, s).everything()
	g := errgroup.Group{}
	g.SetLimit(64)
	for i := range killedObjects {
		g.Go(func() error {
			_, err := s.Do(within(t), clientv3.OpPut(speedKey(i), speedValue(i)))
			return err
		})
	}
	require.NoError(t, g.Wait())
	return s
}

// TestKilledImport kills imports at any moment and starts them again: a zkine never serves half of a store, and the last
// import, which is let end, makes it whole.
func TestKilledImport(t *testing.T) {
	long(t)
	source := bulk(t)
	for name, from := range map[string]string{
		"snapshot": "--snapshot=" + source.save(t), "live": "--endpoints=" + source.endpoint,
	} {
		t.Run(name, func(t *testing.T) {
			whole := newRoot(t)
			took := whole.importInto(t, from).took
			into := newRoot(t)
			half := 0
			for range kills {
				kill(t, took, into.importArgs(from)...)
				switch left := into.znodes(t); {
				case slices.Contains(left, into.path+"/unfinished"):
					half++
					into.requireUnserved(t)
				case len(left) > 0: // it had ended, or was about to
					requireSameNow(t, source, into.serve(t))
					into = newRoot(t)
				}
			}
			t.Logf("%d of %d imports of %v were killed when they had written something", half, kills, took)
			require.Positive(t, half)
			into.importInto(t, from)
			zkine := into.serve(t)
			requireSameNow(t, source, zkine)
			require.Equal(t, whole.serve(t).hash(t, 0), zkine.hash(t, 0))
		})
	}
}

// kill starts a command, and kills it at a moment within the time that it takes, unless it has ended well by then.
func kill(t testing.TB, took time.Duration, args ...string) {
	t.Helper()
	p, err := rig.Start(rig.Program{Name: "zkine " + args[0], Path: program(t), Args: args})
	require.NoError(t, err)
	select {
	case <-p.Exited():
		code, err := p.Wait(within(t))
		require.NoError(t, err)
		require.Zero(t, code, p.Output())
	case <-time.After(rand.N(took)):
		p.Kill()
	}
}

// requireUnserved checks that a zkine does not serve what an import has left half done, nor writes beside it.
func (r root) requireUnserved(t testing.TB) {
	t.Helper()
	before := r.znodes(t)
	z := command(t, program(t), append([]string{
		"server", "--name=early", "--data-dir=" + t.TempDir(), "--listen-client-urls=http://127.0.0.1:0", "--listen-metrics-urls=",
	}, r.flags()...)...)
	got := finish(t, z)
	require.Positive(t, got.code, "%s", got)
	require.Contains(t, got.String(), "is not finished")
	require.Equal(t, before, r.znodes(t))
}

// TestKilledExport kills exports at any moment: under the name of the snapshot there is a whole one or none.
func TestKilledExport(t *testing.T) {
	long(t)
	source := bulk(t)
	into := newRoot(t)
	into.importInto(t, "--endpoints="+source.endpoint)
	zkine := into.serve(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "snapshot.db")
	began := time.Now()
	zkine.export(t)
	took := time.Since(began)
	for range kills {
		kill(t, took, zkine.exportArgs("--snapshot="+path)...)
		if _, err := os.Stat(path); err == nil {
			tool(t, "etcdutl", "snapshot", "status", path)
			require.NoError(t, os.Remove(path))
		}
	}
	mustZkine(t, zkine.exportArgs("--snapshot="+path)...)
	requireSameNow(t, zkine, restoreEtcd(t, path))
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, file := range left { // what was cut off has a name that shows it
		require.True(t, file.Name() == "snapshot.db" || strings.HasPrefix(file.Name(), ".zkine-snapshot-"), file.Name())
	}
}
