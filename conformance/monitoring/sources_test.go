package monitoring

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/zkine/zkine/conformance/rig"
	"github.com/zkine/zkine/conformance/rig/rigtest"
)

func file(t *testing.T, path ...string) string {
	t.Helper()
	checkout, err := rig.Checkout()
	require.NoError(t, err)
	return filepath.Join(append([]string{checkout}, path...)...)
}

func read(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(file(t, path...))
	require.NoError(t, err)
	return string(text)
}

func ownRules(t *testing.T) []Rule {
	t.Helper()
	rules, err := ReadRules(file(t, "deploy", "monitoring", "alerts.yaml"))
	require.NoError(t, err)
	require.NotEmpty(t, rules.All())
	return rules.All()
}

func ownDashboard(t *testing.T) Dashboard {
	t.Helper()
	var d Dashboard
	require.NoError(t, json.Unmarshal([]byte(read(t, "deploy", "monitoring", "dashboard.json")), &d))
	require.NotEmpty(t, d.All())
	return d
}

// TestTheAlertsHaveOneSource compares what is made of deploy/monitoring/alerts.yaml with it.
func TestTheAlertsHaveOneSource(t *testing.T) {
	source := read(t, "deploy", "monitoring", "alerts.yaml")
	require.Equal(t, source, read(t, "deploy", "helm", "zkine", "rules.yaml"), "make monitoring-rules")
	var made struct {
		Kind string `yaml:"kind"`
		Spec Rules  `yaml:"spec"`
	}
	require.NoError(t, yaml.Unmarshal([]byte(read(t, "deploy", "kubernetes", "monitoring", "rules.yaml")), &made))
	require.Equal(t, "PrometheusRule", made.Kind)
	require.Equal(t, ownRules(t), made.Spec.All(), "make monitoring-rules")
}

// elsewhere are families that a zkine without TLS does not show: TestACertificateEnds scrapes one that does.
var elsewhere = []string{"zkine_certificate_expiry_timestamp_seconds"}

// TestWhatIsAskedForIsThere finds each family that an alert or a panel asks for in a scrape, and in the document; and each
// family of the scrape, and each alert, in the document.
func TestWhatIsAskedForIsThere(t *testing.T) {
	z := rigtest.Start(t, "--metrics=extensive", "--archive=file://"+filepath.Join(t.TempDir(), "archive"))
	exercise(t, dial(t, z.Endpoint))
	there := append(slices.Collect(maps.Keys(scrape(t, z.Metrics).Families)), elsewhere...)
	document := read(t, "docs", "metrics.md")
	named := regexp.MustCompile("`([a-z_]+)`")
	var documented []string
	for _, name := range named.FindAllStringSubmatch(document, -1) {
		documented = append(documented, name[1])
	}
	asked := map[string][]string{}
	for _, rule := range ownRules(t) {
		asked["alert "+rule.Alert] = Asked(rule.Expr)
		require.Contains(t, document, "| "+rule.Alert+" |", "docs/metrics.md")
		require.NotEmpty(t, rule.Annotations["summary"], rule.Alert)
		require.Contains(t, []string{"warning", "critical"}, rule.Labels["severity"], rule.Alert)
	}
	for _, panel := range ownDashboard(t).All() {
		for _, target := range panel.Targets {
			asked["panel "+panel.Title] = append(asked["panel "+panel.Title], Asked(target.Expr)...)
		}
	}
	for who, families := range asked {
		for _, name := range families {
			require.Contains(t, there, name, "%s asks for it", who)
			if !strings.HasPrefix(name, "process_") {
				require.Contains(t, documented, name, "%s asks for it", who)
			}
		}
	}
	for _, name := range there {
		if !strings.HasPrefix(name, "go_") && !strings.HasPrefix(name, "process_") {
			require.Contains(t, documented, name, "docs/metrics.md")
		}
	}
}

func TestAsked(t *testing.T) {
	require.Equal(t, []string{"etcd_server_has_leader", "zkine_append_duration_seconds", "zkine_build_info"},
		Asked(`histogram_quantile(0.99, sum by (zkine_label) (rate(zkine_append_duration_seconds_bucket{op="zkine_value"}[5m]))) > etcd_server_has_leader and on (job) zkine_build_info`))
}
