package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"
)

const (
	// expiryLimit is how long after its TTL an Event may still be there.
	expiryLimit = 60 * time.Second
	// compactionLimit bounds the wait for a version to be compacted away: two of the intervals, and some.
	compactionLimit = 6 * compactionInterval
)

// checkExpiry: an Event, which is stored under a lease, goes by itself: not before its TTL, and not long after.
func (c *cluster) checkExpiry(ctx context.Context) (string, error) {
	const ns = "smoke-expiry"
	if err := c.kubectl.all(ctx, "create namespace "+ns); err != nil {
		return "", err
	}
	path := "/api/v1/namespaces/" + ns + "/events"
	started := time.Now()
	var made object
	err := c.api.create(ctx, path, map[string]any{
		"apiVersion": "v1", "kind": "Event", "reason": "Smoke", "message": "here for a while", "type": "Normal",
		"metadata":       map[string]string{"name": "short-lived"},
		"involvedObject": map[string]string{"kind": "Namespace", "name": ns, "namespace": ns},
	}, &made)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, eventTTL+expiryLimit, fmt.Errorf("still there after %v", eventTTL+expiryLimit))
	defer cancel()
	// Events are not cached: this watch is the store's own.
	err = c.api.watch(ctx, path, since(made.Metadata.ResourceVersion), func(e event) error {
		if e.Type == "DELETED" && e.Object.Metadata.Name == "short-lived" {
			return errEnough
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	lived := time.Since(started)
	if lived < eventTTL {
		return "", fmt.Errorf("expired after %v, before its TTL of %v", lived, eventTTL)
	}
	if err := c.api.get(ctx, path+"/short-lived", nil); !refused(err, 404) {
		return "", fmt.Errorf("reading it after its DELETED event: %w", unexpected(err))
	}
	return fmt.Sprintf("TTL %v, gone after %s", eventTTL, short(lived)), nil
}

// checkCompaction: the API server compacts the store; then a page and a watch from before are refused as expired,
// and what is refused says how to go on.
func (c *cluster) checkCompaction(ctx context.Context) (string, error) {
	const ns, objects = "smoke-compaction", 20
	if err := c.kubectl.all(ctx, "create namespace "+ns); err != nil {
		return "", err
	}
	if err := c.createMany(ctx, ns, "item", objects); err != nil {
		return "", err
	}
	var page list
	if err := c.api.get(ctx, configMaps(ns)+"?limit=5", &page); err != nil {
		return "", err
	}
	// A version is compacted once something newer is there.
	if err := c.api.patch(ctx, configMaps(ns)+"/item-000", map[string]any{"data": map[string]string{"later": "yes"}}); err != nil {
		return "", err
	}
	started := time.Now()
	var expired *refusal
	next := url.Values{"limit": {"5"}, "continue": {page.Metadata.Continue}}
	err := until(ctx, compactionLimit, "the version of a page is compacted", func(ctx context.Context) error {
		err := c.api.get(ctx, configMaps(ns)+"?"+next.Encode(), nil)
		if !refused(err, 410) {
			return unexpected(err)
		}
		errors.As(err, &expired)
		return nil
	})
	if err != nil {
		return "", err
	}
	took := time.Since(started)
	if expired.Metadata.Continue == "" {
		return "", fmt.Errorf("the refusal does not say how to go on: %w", expired)
	}
	next.Set("continue", expired.Metadata.Continue)
	next.Set("limit", "500")
	var rest list
	if err := c.api.get(ctx, configMaps(ns)+"?"+next.Encode(), &rest); err != nil {
		return "", fmt.Errorf("going on inconsistently: %w", err)
	}
	if got := len(page.Items) + len(rest.Items); got < objects {
		return "", fmt.Errorf("first page and the rest have %d objects, not %d", got, objects)
	}
	return fmt.Sprintf("expired after %s", short(took)), nil
}
