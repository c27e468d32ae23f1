package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// samples sums a metric of the API server over all labels but those named, whose values joined by blanks are keys.
func samples(text, metric string, labels ...string) map[string]float64 {
	sums := map[string]float64{}
	for line := range strings.Lines(text) {
		rest, ok := strings.CutPrefix(line, metric)
		if !ok || rest == "" || rest[0] != '{' {
			continue
		}
		set, value, ok := strings.Cut(rest[1:], "} ")
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if err != nil {
			continue
		}
		var key []string
		for _, label := range labels {
			_, after, _ := strings.Cut(","+set, ","+label+`="`)
			value, _, _ := strings.Cut(after, `"`)
			key = append(key, value)
		}
		sums[strings.Join(key, " ")] += n
	}
	return sums
}

// checkHealth: nothing ended by itself, no cache of the API server was found to differ from the store, and what the
// store was asked for, and how long it took, is told.
func (c *cluster) checkHealth(ctx context.Context) (string, error) {
	if err := c.alive(); err != nil {
		return "", err
	}
	text, err := c.api.text(ctx, "/metrics")
	if err != nil {
		return "", err
	}
	checks := samples(text, "apiserver_storage_consistency_checks_total", "status")
	if checks["failure"] > 0 {
		return "", fmt.Errorf("%v caches differed from the store", checks["failure"])
	}
	reads := samples(text, "apiserver_watch_cache_consistent_read_total", "success", "fallback")
	return fmt.Sprintf("caches compared: %v (not comparable just then: %v), consistent reads from a cache: %v, refused or from the store: %v",
		checks["success"], checks["error"], reads["true false"], total(reads)-reads["true false"]), nil
}

func total(m map[string]float64) float64 {
	var sum float64
	for _, v := range m {
		sum += v
	}
	return sum
}

// storeTraffic tells what the API server asked of the store and how long an answer took, by operation.
func (c *cluster) storeTraffic(ctx context.Context) (string, error) {
	text, err := c.api.text(ctx, "/metrics")
	if err != nil {
		return "", err
	}
	counts := samples(text, "etcd_request_duration_seconds_count", "operation")
	seconds := samples(text, "etcd_request_duration_seconds_sum", "operation")
	failures := samples(text, "etcd_request_errors_total", "operation")
	var b strings.Builder
	byCount := slices.SortedFunc(maps.Keys(counts), func(x, y string) int { return cmp.Compare(counts[y], counts[x]) })
	for _, operation := range byCount {
		mean := time.Duration(seconds[operation] / counts[operation] * float64(time.Second))
		fmt.Fprintf(&b, "  %-16s %7.0f requests, mean %8s, %4.0f errors\n", operation, counts[operation], mean.Round(10*time.Microsecond), failures[operation])
	}
	return b.String(), nil
}
