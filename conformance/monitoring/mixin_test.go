package monitoring

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision/zktest"
)

// blank are the panels of the mixin that show nothing here.
var blank = map[string]bool{"Peer Traffic In": true, "Peer Traffic Out": true, "Peer round trip time": true}

// TestTheMixinIsDocumented finds each rule of etcd's mixin in docs/metrics.md, and each of its panels; and each panel with
// an answer, by its own expressions, but those that the document calls blank.
func TestTheMixinIsDocumented(t *testing.T) {
	w := newWorld(t, zktest.Shared(t).Addr(), 2)
	document := read(t, "docs", "metrics.md")
	mixin := openMixin(t)
	var rules Rules
	require.NoError(t, mixin.Render(t.Context(), alerts, &rules))
	require.Len(t, rules.All(), 15)
	for _, rule := range rules.All() {
		require.True(t, strings.Contains(document, "| "+rule.Alert+" |") || strings.Contains(document, "| "+rule.Alert+" (2) |"), rule.Alert)
	}
	require.NoError(t, w.promtool.Check(t.Context(), w.own))
	var panels Dashboard
	require.NoError(t, mixin.Render(t.Context(), dashboard, &panels))
	require.Len(t, panels.All(), 13)
	watching := w.clients[0].Watch(t.Context(), "key-")
	w.minutes(12, func(ctx context.Context) {
		w.work(ctx)
		w.tryPuts(w.clients[0], 3, patience)
	})
	for _, panel := range panels.All() {
		name, _, _ := strings.Cut(panel.Title, " In")
		require.Contains(t, document, strings.TrimSuffix(name, " Out"), "docs/metrics.md")
		for _, target := range panel.Targets {
			expression := strings.NewReplacer("$__rate_interval", "5m", "$cluster", job).Replace(target.Expr)
			want := []map[string]any{{"labels": "{}", "value": 1}}
			if blank[panel.Title] {
				want = nil
			}
			require.NoError(t, w.promtool.Evaluates(t.Context(), w.mixin, w.recorder, w.recorder.Now(), "group("+expression+")", want), panel.Title)
		}
	}
	require.NotNil(t, watching)
}

// TestThePanelsHaveData evaluates each expression of zkine's own dashboard.
func TestThePanelsHaveData(t *testing.T) {
	w := newWorld(t, zktest.Shared(t).Addr(), 1, "--log-segment-slots=10", "--checkpoint-log-bytes=1", "--archive=file://"+t.TempDir())
	w.minutes(12, w.work)
	// What only a fault, TLS or a certificate brings is asked about by name elsewhere: sources_test.go.
	empty := map[string]bool{"Housekeeping that failed": true, "Certificates end in": true}
	for _, panel := range ownDashboard(t).All() {
		for _, target := range panel.Targets {
			expression := strings.NewReplacer("$__rate_interval", "5m", "$job", job).Replace(target.Expr)
			want := []map[string]any{{"labels": "{}", "value": 1}}
			if empty[panel.Title] {
				want = nil
			}
			require.NoError(t, w.promtool.Evaluates(t.Context(), w.own, w.recorder, w.recorder.Now(), "group("+expression+")", want), "%s: %s", panel.Title, expression)
		}
	}
}
