package move

import (
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

// kind is one kind of object: how many of them a cluster gets, and how one looks.
type kind struct {
	path       string // of the collection, with %s for the namespace if it has one
	apiVersion string
	name       string
	count      int
	body       func(i int) object
}

const namespaces = 20

func namespaceOf(i int) string { return fmt.Sprintf("team-%02d", i%namespaces) }

func (k kind) collection(i int) string {
	if strings.Contains(k.path, "%s") {
		return fmt.Sprintf(k.path, namespaceOf(i))
	}
	return k.path
}

// everywhere is the collection of all namespaces.
func (k kind) everywhere() string { return strings.Replace(k.path, "/namespaces/%s", "", 1) }

func (k kind) object(i int) object {
	o := object{"apiVersion": k.apiVersion, "kind": k.name, "metadata": object{
		"name": fmt.Sprintf("%s-%04d", strings.ToLower(k.name), i), "labels": object{"number": fmt.Sprint(i)},
	}}
	maps.Copy(o, k.body(i))
	return o
}

// containers is a pod's spec.
func containers(i int) object {
	return object{"containers": []object{{
		"name": "main", "image": fmt.Sprintf("registry.invalid/app:%d", i),
		"env": []object{{"name": "TEXT", "value": strings.Repeat("x", i%2000)}},
	}}}
}

func template(i int) object {
	labels := object{"app": fmt.Sprint("a", i)}
	return object{
		"selector": object{"matchLabels": labels},
		"template": object{"metadata": object{"labels": labels}, "spec": containers(i)},
	}
}

// kinds is what a cluster gets: stored as protobuf most of them, widgets as JSON, events with a lease.
func kinds() []kind {
	ns := "/api/v1/namespaces/%s/"
	group := func(group, version, resource string) string {
		return "/apis/" + group + "/" + version + "/namespaces/%s/" + resource
	}
	return []kind{
		{ns + "configmaps", "v1", "ConfigMap", 1000, func(i int) object {
			return object{"data": object{"text": strings.Repeat(fmt.Sprint(i, " "), 1+i%400)}}
		}},
		{ns + "secrets", "v1", "Secret", 300, func(i int) object {
			return object{"data": object{"key": base64.StdEncoding.EncodeToString([]byte(fmt.Sprint("\x00\xff", i)))}}
		}},
		{ns + "pods", "v1", "Pod", 500, func(i int) object { return object{"spec": containers(i)} }},
		{ns + "services", "v1", "Service", 100, func(i int) object {
			return object{"spec": object{"ports": []object{{"port": 80 + i}}}}
		}},
		{ns + "serviceaccounts", "v1", "ServiceAccount", 60, func(int) object { return nil }},
		{ns + "events", "v1", "Event", 600, func(i int) object {
			return object{
				"involvedObject": object{"kind": "Pod", "namespace": namespaceOf(i), "name": fmt.Sprint("pod-", i)},
				"reason":         "Moved", "message": strings.Repeat("m", i%700), "type": "Normal",
			}
		}},
		{"/api/v1/nodes", "v1", "Node", 40, func(i int) object {
			return object{"spec": object{"podCIDR": fmt.Sprintf("10.%d.0.0/24", i)}}
		}},
		{group("apps", "v1", "deployments"), "apps/v1", "Deployment", 150, func(i int) object { return object{"spec": template(i)} }},
		{group("apps", "v1", "replicasets"), "apps/v1", "ReplicaSet", 150, func(i int) object { return object{"spec": template(i)} }},
		{group("coordination.k8s.io", "v1", "leases"), "coordination.k8s.io/v1", "Lease", 60, func(i int) object {
			return object{"spec": object{"holderIdentity": fmt.Sprint("holder", i), "leaseDurationSeconds": 15}}
		}},
		{group("rbac.authorization.k8s.io", "v1", "roles"), "rbac.authorization.k8s.io/v1", "Role", 60, func(int) object {
			return object{"rules": []object{{"apiGroups": []string{""}, "resources": []string{"pods"}, "verbs": []string{"get"}}}}
		}},
		{group("networking.k8s.io", "v1", "networkpolicies"), "networking.k8s.io/v1", "NetworkPolicy", 60, func(int) object {
			return object{"spec": object{"podSelector": object{}}}
		}},
		{group("move.zkine.invalid", "v1", "widgets"), "move.zkine.invalid/v1", "Widget", 400, func(i int) object {
			return object{"spec": object{"size": i, "nested": object{"deep": strings.Repeat("ä", i%300)}}}
		}},
	}
}

const definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"

// widgets is the definition of a custom resource.
func widgets() object {
	return object{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
		"metadata": object{"name": "widgets.move.zkine.invalid"},
		"spec": object{
			"group": "move.zkine.invalid", "scope": "Namespaced",
			"names": object{"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
			"versions": []object{{
				"name": "v1", "served": true, "storage": true,
				"schema": object{"openAPIV3Schema": object{"type": "object", "properties": object{
					"spec": object{"type": "object", "x-kubernetes-preserve-unknown-fields": true},
				}}},
			}},
		},
	}
}

// fill makes a cluster of a few thousand objects, of which some are changed and some deleted.
func (a *apiserver) fill(t testing.TB) {
	t.Helper()
	ctx := within(t)
	for i := range namespaces {
		require.NoError(t, a.create(ctx, "/api/v1/namespaces", object{
			"apiVersion": "v1", "kind": "Namespace", "metadata": object{"name": namespaceOf(i)},
		}))
	}
	require.NoError(t, a.create(ctx, definitions, widgets()))
	eventually(t, func() error { return a.get(ctx, kinds()[len(kinds())-1].everywhere(), nil) })
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for _, k := range kinds() {
		for i := range k.count {
			g.Go(func() error { return a.live(ctx, k, i) })
		}
	}
	require.NoError(t, g.Wait())
}

// live has one object created, and one in five changed, one in ten deleted.
func (a *apiserver) live(ctx context.Context, k kind, i int) error {
	path, o := k.collection(i), k.object(i)
	if err := a.create(ctx, path, o); err != nil {
		return fmt.Errorf("%s %d: %w", k.name, i, err)
	}
	path += "/" + o["metadata"].(object)["name"].(string)
	switch {
	case i%10 == 3:
		if err := a.do(ctx, "DELETE", path+"?gracePeriodSeconds=0", nil, nil); err != nil {
			return fmt.Errorf("delete %s: %w", path, err)
		}
	case i%5 == 0:
		if err := a.relabel(ctx, path, "changed"); err != nil {
			return fmt.Errorf("change %s: %w", path, err)
		}
	}
	return nil
}

// relabel changes an object.
func (a *api) relabel(ctx context.Context, path, label string) error {
	var o object
	if err := a.get(ctx, path, &o); err != nil {
		return err
	}
	o["metadata"].(object)["labels"].(object)["moved"] = label
	return a.do(ctx, "PUT", path, o, nil)
}

// objects is every object of the kinds above, as JSON, by path; and the definition of the custom one.
func (a *apiserver) objects(t testing.TB) map[string]string {
	t.Helper()
	all := map[string]string{}
	paths := []string{"/api/v1/namespaces", definitions}
	for _, k := range kinds() {
		paths = append(paths, k.everywhere())
	}
	for _, path := range paths {
		var l listed
		eventually(t, func() (err error) { // an API server reads each kind from the store when it starts, and refuses until then
			l, err = a.list(within(t), path)
			return err
		})
		for name, item := range l.objects {
			// What an API server writes about itself when it starts is none of the test's.
			if !strings.HasPrefix(name, "kube-") && !strings.HasPrefix(name, "default/") {
				all[path+" "+name] = item
			}
		}
	}
	return all
}

// requireSameObjects compares them, resourceVersions included.
func requireSameObjects(t testing.TB, want, got map[string]string) {
	t.Helper()
	var differ []string
	for name, item := range want {
		if got[name] != item {
			differ = append(differ, fmt.Sprintf("%s: want %.300s, got %.300s", name, item, got[name]))
		}
	}
	for name := range got {
		if _, there := want[name]; !there {
			differ = append(differ, name+" is there besides")
		}
	}
	slices.Sort(differ)
	require.Empty(t, differ[:min(len(differ), mostShown)], "%d of %d objects", len(differ), len(want))
	require.Greater(t, len(got), 2000)
}
