package main

import (
	"context"
	"fmt"
)

// widgets is a resource of our own, with a schema.
const widgets = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: widgets.kubesmoke.example
spec:
  group: kubesmoke.example
  scope: Namespaced
  names: {plural: widgets, singular: widget, kind: Widget}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            properties:
              size: {type: integer, minimum: 1}
          status:
            type: object
            properties:
              phase: {type: string}
`

// widget is the manifest of one custom object.
func widget(name string, size int) string {
	return fmt.Sprintf("apiVersion: kubesmoke.example/v1\nkind: Widget\nmetadata: {name: %s}\nspec: {size: %d}\n", name, size)
}

// checkApply: two managers apply the same field; the second is refused until it insists.
func (c *cluster) checkApply(ctx context.Context) (string, error) {
	const ns = "smoke-apply"
	k := c.kubectl
	if err := k.all(ctx, "create namespace "+ns); err != nil {
		return "", err
	}
	manifest := func(color, shape string) string {
		return fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\ndata: {color: %s, %s: round}\n", color, shape)
	}
	apply := func(manager string, more ...string) []string {
		return append([]string{"-n", ns, "apply", "--server-side", "--field-manager", manager, "-f", "-"}, more...)
	}
	if _, err := k.feed(ctx, manifest("green", "shape"), apply("first")...); err != nil {
		return "", err
	}
	if err := k.expectRefusal(ctx, manifest("blue", "form"), `conflict with "first": .data.color`, apply("second")...); err != nil {
		return "", err
	}
	if err := k.expect(ctx, "green", "-n", ns, "get", "configmap", "one", "-o", "jsonpath={.data.color}"); err != nil {
		return "", err
	}
	if _, err := k.feed(ctx, manifest("blue", "form"), apply("second", "--force-conflicts")...); err != nil {
		return "", err
	}
	// The first no longer owns the color: giving it up takes away only its shape.
	if _, err := k.feed(ctx, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\n", apply("first")...); err != nil {
		return "", err
	}
	return "", k.expect(ctx, `{"color":"blue","form":"round"}`, "-n", ns, "get", "configmap", "one", "-o", "jsonpath={.data}")
}

// checkCustomResources: a definition is served, its objects are validated, stored, listed, watched, changed; the
// definition goes and takes them along.
func (c *cluster) checkCustomResources(ctx context.Context) (string, error) {
	const ns = "smoke-custom"
	k := c.kubectl
	if err := k.all(ctx, "create namespace "+ns); err != nil {
		return "", err
	}
	if err := c.defineWidgets(ctx); err != nil {
		return "", err
	}
	for i := range 5 {
		if _, err := k.feed(ctx, widget(fmt.Sprintf("w-%d", i), i+1), "-n", ns, "apply", "--server-side", "-f", "-"); err != nil {
			return "", err
		}
	}
	if err := k.expectRefusal(ctx, widget("none", 0), "should be greater than or equal to 1", "-n", ns, "create", "-f", "-"); err != nil {
		return "", err
	}
	if err := k.all(ctx, "-n "+ns+` patch widget w-0 --type=merge -p {"spec":{"size":10}}`,
		"-n "+ns+` patch widget w-1 --subresource=status --type=merge -p {"status":{"phase":"Done"}}`,
		"-n "+ns+" wait --for=jsonpath={.status.phase}=Done widget/w-1 --timeout=30s",
		"-n "+ns+" delete widget w-2"); err != nil {
		return "", err
	}
	if err := k.expect(ctx, "10 2 4 5", "-n", ns, "get", "widgets", "-o", "jsonpath={.items[*].spec.size}"); err != nil {
		return "", err
	}
	if err := k.all(ctx, "delete crd widgets.kubesmoke.example --timeout=60s"); err != nil {
		return "", err
	}
	left, err := c.stored(ctx, "/registry/kubesmoke.example/")
	if err != nil {
		return "", err
	}
	if len(left) > 0 {
		return "", fmt.Errorf("after its definition was deleted, the store holds %v", left)
	}
	return "", nil
}

// defineWidgets creates the definition and waits until its objects are served.
func (c *cluster) defineWidgets(ctx context.Context) error {
	if _, err := c.kubectl.feed(ctx, widgets, "apply", "--server-side", "-f", "-"); err != nil {
		return err
	}
	if err := c.kubectl.all(ctx, "wait --for=condition=Established crd/widgets.kubesmoke.example --timeout=60s"); err != nil {
		return err
	}
	// Established is said a moment before the first request is served.
	return until(ctx, convergeLimit, "widgets are served", func(ctx context.Context) error {
		return c.api.get(ctx, "/apis/kubesmoke.example/v1/widgets", nil)
	})
}
