package monitoring

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/conformance/rig"
	"github.com/zkine/zkine/conformance/rig/rigtest"
	"github.com/zkine/zkine/revision/zktest"
)

// prometheus is a real one, which scrapes each second, with rules that wait for ten seconds.
type prometheus struct {
	*rig.Process
	address string
}

func startPrometheus(t *testing.T, w *world) *prometheus {
	t.Helper()
	dir := t.TempDir()
	for name, rules := range map[string]string{"own.yaml": w.own, "mixin.yaml": w.adapted} {
		text, err := os.ReadFile(rules)
		require.NoError(t, err)
		short := regexp.MustCompile(`(?m)("?for"?: ?)"?\d+[mh]"?`).ReplaceAll(text, []byte(`${1}"10s"`))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), short, 0o600))
	}
	var targets []string
	for _, z := range w.zkines {
		targets = append(targets, z.Metrics)
	}
	config := map[string]any{
		"global":         map[string]any{"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
		"rule_files":     []string{"own.yaml", "mixin.yaml"},
		"scrape_configs": []any{map[string]any{"job_name": job, "static_configs": []any{map[string]any{"targets": targets}}}},
	}
	text, err := json.Marshal(config) // which is YAML, too
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "prometheus.yaml"), text, 0o600))
	address, err := rig.FreeAddress("127.0.0.1")
	require.NoError(t, err)
	p := &prometheus{address: address, Process: rig.New(rig.Program{
		Path: rigtest.Component(t, "prometheus"),
		Args: []string{"--config.file=" + filepath.Join(dir, "prometheus.yaml"), "--storage.tsdb.path=" + filepath.Join(dir, "data"), "--web.listen-address=" + address},
	})}
	require.NoError(t, p.Start())
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("Prometheus printed:\n%.5000s", p.Output())
		}
	})
	return p
}

// ask reads a part of Prometheus' API into out.
func (p *prometheus) ask(ctx context.Context, path string, out any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.address+"/api/v1/"+path, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return json.NewDecoder(resp.Body).Decode(out)
}

// firing are the names of the alerts that fire.
func (p *prometheus) firing(ctx context.Context) (names []string, err error) {
	var answer struct {
		Data struct {
			Alerts []struct {
				State  string
				Labels map[string]string
			}
		}
	}
	err = p.ask(ctx, "alerts", &answer)
	for _, alert := range answer.Data.Alerts {
		if alert.State == "firing" {
			names = append(names, alert.Labels["alertname"])
		}
	}
	slices.Sort(names)
	return slices.Compact(names), err
}

// evaluated is an error if a rule was not evaluated, or a target is not up.
func (p *prometheus) evaluated(ctx context.Context, targets int) error {
	var rules struct {
		Data struct {
			Groups []struct {
				Rules []struct{ Name, Health, LastError string }
			}
		}
	}
	if err := p.ask(ctx, "rules", &rules); err != nil {
		return err
	}
	if len(rules.Data.Groups) != 2 {
		return fmt.Errorf("%d groups of rules", len(rules.Data.Groups))
	}
	for _, group := range rules.Data.Groups {
		for _, rule := range group.Rules {
			if rule.Health != "ok" {
				return fmt.Errorf("rule %s is %s: %s", rule.Name, rule.Health, rule.LastError)
			}
		}
	}
	var up struct {
		Data struct{ ActiveTargets []struct{ Health string } }
	}
	if err := p.ask(ctx, "targets", &up); err != nil {
		return err
	}
	healthy := 0
	for _, target := range up.Data.ActiveTargets {
		if target.Health == "up" {
			healthy++
		}
	}
	if healthy != targets {
		return fmt.Errorf("%d of %d targets are up", healthy, targets)
	}
	return nil
}

// TestARealPrometheus scrapes two zkines, at rest for half a minute of its evaluations, then without ZooKeeper, then without
// the zkines.
func TestARealPrometheus(t *testing.T) {
	needsAll(t)
	proxy := zktest.NewProxy(t, zktest.Shared(t).Addr())
	w := newWorld(t, proxy.Addr(), 2)
	p := startPrometheus(t, w)
	require.NoError(t, rig.Poll(within(t), func() error { return p.evaluated(t.Context(), 2) }))
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); {
		w.work(within(t))
		names, err := p.firing(within(t))
		require.NoError(t, err)
		require.Empty(t, names, "at rest")
	}
	awaitFiring := func(want string) {
		t.Helper()
		require.NoError(t, rig.Poll(within(t), func() error {
			names, err := p.firing(t.Context())
			if err == nil && !slices.Contains(names, want) {
				err = fmt.Errorf("%v fire, and not %s", names, want)
			}
			return err
		}))
	}
	proxy.Refuse()
	proxy.CutAll()
	awaitFiring("ZkineHasNoZooKeeper")
	awaitFiring("etcdNoLeader")
	proxy.Accept()
	for _, z := range w.zkines {
		require.NoError(t, z.AwaitReady(within(t)))
	}
	require.NoError(t, rig.Poll(within(t), func() error {
		names, err := p.firing(t.Context())
		if slices.Contains(names, "ZkineHasNoZooKeeper") {
			err = fmt.Errorf("it still fires")
		}
		return err
	}), "it ends with the outage")
	for _, z := range w.zkines {
		z.Kill()
	}
	awaitFiring("ZkineIsAway")
}
