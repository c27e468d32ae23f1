package monitoring

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/zkine/zkine/conformance/rig"
)

// Rule is an alert of a rule file.
type Rule struct {
	Alert       string            `yaml:"alert" json:"alert"`
	Expr        string            `yaml:"expr" json:"expr"`
	For         string            `yaml:"for,omitempty" json:"for,omitempty"`
	Labels      map[string]string `yaml:"labels" json:"labels"`
	Annotations map[string]string `yaml:"annotations" json:"annotations"`
}

// Rules is a rule file.
type Rules struct {
	Groups []struct {
		Name  string `yaml:"name" json:"name"`
		Rules []Rule `yaml:"rules" json:"rules"`
	} `yaml:"groups" json:"groups"`
}

// All are the alerts of all groups.
func (r Rules) All() (all []Rule) {
	for _, g := range r.Groups {
		all = append(all, g.Rules...)
	}
	return all
}

// ReadRules reads a rule file.
func ReadRules(file string) (rules Rules, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return rules, err
	}
	return rules, yaml.Unmarshal(text, &rules)
}

// Dashboard is what is looked at of a Grafana dashboard.
type Dashboard struct {
	Panels []Panel `json:"panels"`
	// Rows are those of Grafana before 8.
	Rows []struct {
		Panels []Panel `json:"panels"`
	} `json:"rows"`
}

// Panel is one of a dashboard.
type Panel struct {
	Title   string `json:"title"`
	Type    string `json:"type"`
	Targets []struct {
		Expr string `json:"expr"`
	} `json:"targets"`
	Panels []Panel `json:"panels"`
}

// All are the panels that show something.
func (d Dashboard) All() (all []Panel) {
	panels := d.Panels
	for _, row := range d.Rows {
		panels = append(panels, row.Panels...)
	}
	for _, p := range panels {
		for _, inner := range append([]Panel{p}, p.Panels...) {
			if len(inner.Targets) > 0 {
				all = append(all, inner)
			}
		}
	}
	return all
}

// Mixin is etcd's, out of the module of etcd that conformance/components/mixin pins. Nothing of it is in this repository.
type Mixin struct {
	// Jsonnet is the executable that renders it.
	Jsonnet string
	dir     string
}

// OpenMixin finds etcd's mixin, which is downloaded if it is missing.
func OpenMixin(ctx context.Context, jsonnet string) (*Mixin, error) {
	checkout, err := rig.Checkout()
	if err != nil {
		return nil, err
	}
	const etcd = "go.etcd.io/etcd/v3"
	cmd := exec.CommandContext(ctx, "sh", "-c", "go mod download "+etcd+" && go list -m -f '{{.Dir}}' "+etcd)
	cmd.Dir = filepath.Join(checkout, "conformance", "components", "mixin")
	dir, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("find etcd's mixin: %w", err)
	}
	return &Mixin{jsonnet, filepath.Join(strings.TrimSpace(string(dir)), "contrib", "mixin")}, nil
}

// Render evaluates jsonnet in which imports find the mixin's files, and the rest of search.
func (m *Mixin) Render(ctx context.Context, snippet string, out any, search ...string) error {
	args := []string{"-J", m.dir}
	for _, folder := range search {
		args = append(args, "-J", folder)
	}
	text, err := exec.CommandContext(ctx, m.Jsonnet, append(args, "-e", snippet)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("jsonnet: %w\n%s", err, text)
	}
	return json.Unmarshal(text, out)
}

// alerts are the mixin's rules as they are.
const alerts = `((import 'config.libsonnet') + (import 'alerts/alerts.libsonnet')).prometheusAlerts`

// dashboard is the one of the mixin's two that needs no library: for Grafana 7, with the same panels.
const dashboard = `((import 'config.libsonnet') + (import 'dashboards/etcd-grafana7x.libsonnet') + {_config+:: {grafana7x: true}}).grafanaDashboards['etcd.json']`

// WriteRules renders the rules that a snippet makes, as a rule file in a folder.
func (m *Mixin) WriteRules(ctx context.Context, snippet, folder string, search ...string) (file string, rules Rules, err error) {
	if err := m.Render(ctx, snippet, &rules, search...); err != nil {
		return "", rules, err
	}
	text, err := json.Marshal(rules)
	if err != nil {
		return "", rules, err
	}
	file = filepath.Join(folder, "mixin.yaml")
	return file, rules, os.WriteFile(file, text, 0o600)
}
