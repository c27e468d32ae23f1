package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
)

// deployment is the manifest of one whose image nobody pulls.
func deployment(name string, replicas int) string {
	return fmt.Sprintf(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: %[1]s}
spec:
  replicas: %[2]d
  selector: {matchLabels: {app: %[1]s}}
  template:
    metadata: {labels: {app: %[1]s}}
    spec:
      containers: [{name: main, image: kubesmoke.invalid/pause}]
`, name, replicas)
}

// workload returns a step that rolls a Deployment out in a namespace of its own: its ReplicaSet and pods are
// created, scheduled onto the node and become ready; it scales, rolls over to a new template and goes, and all it
// made goes with it.
func (c *cluster) workload(ns string) step {
	return func(ctx context.Context) (string, error) {
		k := c.kubectl
		if err := k.all(ctx, "create namespace "+ns); err != nil {
			return "", err
		}
		if _, err := k.feed(ctx, deployment("web", 3), "-n", ns, "apply", "-f", "-"); err != nil {
			return "", err
		}
		if err := k.all(ctx, "-n "+ns+" rollout status deployment/web --timeout=90s"); err != nil {
			return "", err
		}
		if err := c.scheduled(ctx, ns, 3); err != nil {
			return "", err
		}
		if err := k.all(ctx,
			"-n "+ns+" scale deployment/web --replicas=6",
			"-n "+ns+" rollout status deployment/web --timeout=90s",
			"-n "+ns+" set image deployment/web main=kubesmoke.invalid/pause:2",
			"-n "+ns+" rollout status deployment/web --timeout=90s"); err != nil {
			return "", err
		}
		// The rollover's last old pods may still be on their way out.
		if err := until(ctx, convergeLimit, "six pods are left", func(ctx context.Context) error { return c.scheduled(ctx, ns, 6) }); err != nil {
			return "", err
		}
		if err := k.all(ctx, "-n "+ns+" delete deployment web --cascade=foreground --timeout=60s"); err != nil {
			return "", err
		}
		return "3, 6, rolled over, gone", until(ctx, convergeLimit, "ReplicaSets and pods are gone", func(ctx context.Context) error {
			return k.expect(ctx, "", "-n", ns, "get", "replicasets,pods", "-o", "name")
		})
	}
}

// scheduled checks that a namespace has n pods, each bound to the node and running.
func (c *cluster) scheduled(ctx context.Context, ns string, n int) error {
	var pods list
	if err := c.api.get(ctx, "/api/v1/namespaces/"+ns+"/pods", &pods); err != nil {
		return err
	}
	if len(pods.Items) != n {
		return fmt.Errorf("%d pods, not %d", len(pods.Items), n)
	}
	for _, pod := range pods.Items {
		var spec struct{ NodeName string }
		if err := json.Unmarshal(pod.Spec, &spec); err != nil {
			return err
		}
		if spec.NodeName != nodeName || phase(pod) != "Running" {
			return fmt.Errorf("pod %s is %s on node %q", pod.Metadata.Name, phase(pod), spec.NodeName)
		}
	}
	return nil
}

// checkNamespaceDeletion: a namespace with much in it goes, and the store holds none of it.
func (c *cluster) checkNamespaceDeletion(ctx context.Context) (string, error) {
	const ns, objects = "smoke-going", 200
	k := c.kubectl
	if err := k.all(ctx, "create namespace "+ns); err != nil {
		return "", err
	}
	if err := c.defineWidgets(ctx); err != nil {
		return "", err
	}
	if err := c.createMany(ctx, ns, "item", objects); err != nil {
		return "", err
	}
	if _, err := k.feed(ctx, widget("one", 1), "-n", ns, "apply", "--server-side", "-f", "-"); err != nil {
		return "", err
	}
	if _, err := k.feed(ctx, deployment("web", 3), "-n", ns, "apply", "-f", "-"); err != nil {
		return "", err
	}
	if err := k.all(ctx, "-n "+ns+" rollout status deployment/web --timeout=90s"); err != nil {
		return "", err
	}
	took, err := timed(func() error { return k.all(ctx, "delete namespace "+ns+" --timeout=120s") })
	if err != nil {
		return "", err
	}
	note := fmt.Sprintf("%d ConfigMaps, a Deployment and a custom object gone in %s", objects, short(took))
	return note, c.nothingOf(ctx, ns)
}

// checkAllGone: when every namespace of the run is deleted, the store holds no key of them.
func (c *cluster) checkAllGone(ctx context.Context) (string, error) {
	names, err := c.kubectl.run(ctx, "get", "namespaces", "-o", "jsonpath={.items[*].metadata.name}")
	if err != nil {
		return "", err
	}
	arguments := []string{"delete", "namespace", "--timeout=120s"}
	for name := range strings.FieldsSeq(names) {
		if strings.HasPrefix(name, "smoke-") {
			arguments = append(arguments, name)
		}
	}
	took, err := timed(func() error { _, err := c.kubectl.run(ctx, arguments...); return err })
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d namespaces gone in %s", len(arguments)-3, short(took)), c.nothingOf(ctx, "smoke-")
}

// nothingOf checks that no key in the store has a path element that begins with a text.
func (c *cluster) nothingOf(ctx context.Context, start string) error {
	keys, err := c.stored(ctx, "/registry/")
	if err != nil {
		return err
	}
	for key := range keys {
		for element := range strings.SplitSeq(key, "/") {
			// The node's own objects stay.
			if strings.HasPrefix(element, start) && element != nodeName {
				return fmt.Errorf("the store still holds /registry/%s", key)
			}
		}
	}
	return nil
}
