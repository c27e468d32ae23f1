package monitoring

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"go.yaml.in/yaml/v3"
)

// Promtool is the real one.
type Promtool struct {
	// Program is its executable, Dir a folder for what it reads.
	Program, Dir string
}

// Check has promtool read a rule file.
func (p Promtool) Check(ctx context.Context, rules string) error {
	out, err := exec.CommandContext(ctx, p.Program, "check", "rules", "--lint=all", "--lint-fatal", rules).CombinedOutput()
	if err != nil {
		return fmt.Errorf("promtool check rules %s: %w\n%s", rules, err, out)
	}
	return nil
}

// Firing says whether exactly these alerts of a rule file fire in a minute of what was recorded, as promtool evaluates the
// rules; ever says, whether they have fired in any minute up to it.
func (p Promtool) Firing(ctx context.Context, rules string, r *Recorder, minute int, ever bool, alerts ...string) error {
	expression := `group by (alertname) (ALERTS{alertstate="firing"})`
	if ever {
		expression = `group by (alertname) (present_over_time(ALERTS{alertstate="firing"}[1w]))`
	}
	return p.Evaluates(ctx, rules, r, minute, expression, alertSamples(alerts))
}

func alertSamples(alerts []string) []map[string]any {
	samples := []map[string]any{}
	for _, name := range alerts {
		samples = append(samples, map[string]any{"labels": fmt.Sprintf("{alertname=%q}", name), "value": 1})
	}
	return samples
}

// Evaluates says whether an expression has these samples in a minute of what was recorded.
func (p Promtool) Evaluates(ctx context.Context, rules string, r *Recorder, minute int, expression string, samples []map[string]any) error {
	text, err := yaml.Marshal(map[string]any{
		"rule_files":          []string{rules},
		"evaluation_interval": "1m",
		"tests": []any{map[string]any{
			"interval":     "1m",
			"input_series": r.input(),
			"promql_expr_test": []any{map[string]any{
				"expr": expression, "eval_time": fmt.Sprintf("%dm", minute), "exp_samples": samples,
			}},
		}},
	})
	if err != nil {
		return err
	}
	file := filepath.Join(p.Dir, "test.yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, p.Program, "test", "rules", file).CombinedOutput()
	if err != nil {
		return fmt.Errorf("promtool test rules: %w\n%s", err, out)
	}
	return nil
}
