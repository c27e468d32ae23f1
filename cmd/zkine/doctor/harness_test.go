package doctor

import (
	"context"
	"crypto/rand"
	"crypto/x509/pkix"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zkroot"
	"github.com/zkine/zkine/revision/zktest"
)

func TestMain(m *testing.M) { zktest.Main(m) }

// configOf looks at servers as a zkine with little data.
func configOf(root string, servers ...string) Config {
	log := logrus.New()
	log.SetOutput(io.Discard)
	const request = 921600
	return Config{
		Version: "test", DialTimeout: 10 * time.Second, Root: root, MaxRequest: request, Quota: 20 << 20, SessionTimeout: 10 * time.Second,
		Ensemble: &zkclient.Ensemble{Servers: servers, Timeout: 10 * time.Second, MaxRequest: request, PreferLeader: true, Log: logrus.NewEntry(log)},
		Connect: func(context.Context, string) (*clientv3.Client, error) {
			return nil, errors.New("no zkine is to be asked")
		},
	}
}

// looked runs the checks that are named.
func looked(t *testing.T, cfg Config, names ...string) *Report {
	t.Helper()
	all, _ := Names()
	for _, name := range all {
		if len(names) > 0 && !slices.Contains(names, name) {
			cfg.Ignore = append(cfg.Ignore, name)
		}
	}
	for _, name := range names {
		require.Contains(t, all, name)
	}
	r, err := Run(t.Context(), cfg)
	require.NoError(t, err)
	for _, f := range r.Findings {
		t.Logf("%-8s %s: %s: %s | %s | %s", f.Level, f.Check, f.Thing, f.What, f.Why, f.Remedy)
		require.NotEmpty(t, f.What)
		if f.Level == Problem || f.Level == Advice {
			require.NotEmpty(t, f.Why, f.What)
			require.NotEmpty(t, f.Remedy, f.What)
		}
	}
	return r
}

// of are the findings of a check.
func of(r *Report, check string) (found []Finding) {
	for _, f := range r.Findings {
		if f.Check == check {
			found = append(found, f)
		}
	}
	return found
}

// requireFinding expects a check to have found something of a level that holds a text.
func requireFinding(t *testing.T, r *Report, check string, level Level, text string) {
	t.Helper()
	for _, f := range of(r, check) {
		if f.Level == level && strings.Contains(f.Thing+": "+f.What, text) {
			return
		}
	}
	require.Failf(t, "not found", "%s: %s with %q in %+v", check, level, text, of(r, check))
}

// requireOnly expects all findings of a check to be of one level.
func requireOnly(t *testing.T, r *Report, check string, level Level) {
	t.Helper()
	require.NotEmpty(t, of(r, check), check)
	for _, f := range of(r, check) {
		require.Equal(t, level, f.Level, "%s: %+v", check, f)
	}
}

// makeRoot makes a root as the first zkine does, open to everyone.
func makeRoot(t *testing.T, s *zktest.Server, root string) {
	t.Helper()
	conn, err := configOf(root, s.Addr()).Ensemble.Dial(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	l := zkroot.Layout{Root: root}
	require.NoError(t, zkroot.CreateParents(t.Context(), conn, root))
	_, err = conn.Multi(t.Context(), append(zkroot.FoundingOps(l, zkroot.NewClusterID(rand.Reader), zkroot.NewSegmentRef(1, rand.Reader)),
		zkclient.CreateOp(l.Checkpoint(), zkroot.MustJSON(zkroot.CheckpointRecord{})))...)
	require.NoError(t, err)
}

func nameOf(common string) pkix.Name { return pkix.Name{CommonName: common} }
