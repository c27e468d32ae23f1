package main

import (
	"context"
	"fmt"
	"strings"
)

// checkVersion: the API server that answers is the one that was meant, and it finds the store healthy.
func (c *cluster) checkVersion(ctx context.Context) (string, error) {
	var version struct{ GitVersion string }
	if err := c.api.get(ctx, "/version", &version); err != nil {
		return "", err
	}
	ready, err := c.api.text(ctx, "/readyz?verbose")
	if err != nil {
		return "", err
	}
	for _, want := range []string{"[+]etcd ok", "[+]etcd-readiness ok"} {
		if !strings.Contains(ready, want) {
			return "", fmt.Errorf("no %q in /readyz?verbose: %s", want, ready)
		}
	}
	return version.GitVersion, nil
}

// checkObjects: create, read, patch, label and delete with kubectl.
func (c *cluster) checkObjects(ctx context.Context) (string, error) {
	const ns = "smoke-objects"
	k := c.kubectl
	if err := k.all(ctx,
		"create namespace "+ns,
		"-n "+ns+" create configmap one --from-literal=color=green",
		"-n "+ns+" create secret generic hidden --from-literal=word=swordfish",
	); err != nil {
		return "", err
	}
	color := []string{"-n", ns, "get", "configmap", "one", "-o", "jsonpath={.data.color}"}
	if err := k.expect(ctx, "green", color...); err != nil {
		return "", err
	}
	if _, err := k.run(ctx, "-n", ns, "patch", "configmap", "one", "--type=merge", "-p", `{"data":{"color":"blue"}}`); err != nil {
		return "", err
	}
	if err := k.expect(ctx, "blue", color...); err != nil {
		return "", err
	}
	if err := k.all(ctx, "-n "+ns+" label configmap one tier=front"); err != nil {
		return "", err
	}
	if err := k.expect(ctx, "configmap/one", "-n", ns, "get", "configmap", "-l", "tier=front", "-o", "name"); err != nil {
		return "", err
	}
	if err := k.expectRefusal(ctx, "", "already exists", "-n", ns, "create", "configmap", "one"); err != nil {
		return "", err
	}
	if err := k.all(ctx, "-n "+ns+" delete configmap one", "-n "+ns+" delete secret hidden"); err != nil {
		return "", err
	}
	return "", k.expectRefusal(ctx, "", "NotFound", "-n", ns, "get", "configmap", "one")
}

// checkConflict: of two writers that started from the same version the second is refused, and an uncertain delete
// does not hit a namesake.
func (c *cluster) checkConflict(ctx context.Context) (string, error) {
	const ns = "smoke-conflict"
	if err := c.kubectl.all(ctx, "create namespace "+ns); err != nil {
		return "", err
	}
	var first, second object
	if err := c.api.create(ctx, configMaps(ns), configMap(ns, "one", map[string]string{"by": "nobody"}), &first); err != nil {
		return "", err
	}
	path := configMaps(ns) + "/one"
	mine := configMap(ns, "one", map[string]string{"by": "first"})
	mine.Metadata.ResourceVersion = first.Metadata.ResourceVersion
	if err := c.api.replace(ctx, path, mine, &second); err != nil {
		return "", err
	}
	if err := c.api.replace(ctx, path, mine, nil); !refused(err, 409) {
		return "", fmt.Errorf("an update from an old version: %w", unexpected(err))
	}
	err := c.api.do(ctx, "DELETE", path, jsonType, map[string]any{
		"preconditions": map[string]string{"resourceVersion": first.Metadata.ResourceVersion},
	}, nil)
	if !refused(err, 409) {
		return "", fmt.Errorf("a delete of an old version: %w", unexpected(err))
	}
	var now object
	if err := c.api.get(ctx, path, &now); err != nil {
		return "", err
	}
	if now.Data["by"] != "first" || now.Metadata.ResourceVersion != second.Metadata.ResourceVersion {
		return "", fmt.Errorf("after refused writes the object is %+v, not %+v", now, second)
	}
	return "", nil
}

// unexpected words an outcome that should have been a certain refusal.
func unexpected(err error) error {
	if err == nil {
		return fmt.Errorf("was accepted")
	}
	return fmt.Errorf("got another error: %w", err)
}
