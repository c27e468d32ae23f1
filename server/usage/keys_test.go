package usage

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestPrefixesOfKeys(t *testing.T) {
	long := strings.Repeat("x", 300)
	for _, c := range []struct{ key, end, prefix, resource, namespace string }{
		// Kubernetes: keys, as kube-apiserver writes them.
		{"/registry/pods/default/nginx-1", "", "/registry/pods/default/", "pods", "default"},
		{"/registry/leases/kube-node-lease/node-1", "", "/registry/leases/kube-node-lease/", "leases", "kube-node-lease"},
		{"/registry/events/shop/web.18a", "", "/registry/events/shop/", "events", "shop"},
		{"/registry/clusterroles/system:node", "", "/registry/clusterroles/", "clusterroles", ""},
		{"/registry/namespaces/shop", "", "/registry/namespaces/", "namespaces", ""},
		{"/registry/minions/node-1", "", "/registry/minions/", "nodes", ""},
		{"/registry/services/specs/shop/web", "", "/registry/services/specs/shop/", "services", "shop"},
		{"/registry/services/endpoints/shop/web", "", "/registry/services/endpoints/shop/", "endpoints", "shop"},
		{"/registry/masterleases/10.0.0.1", "", "/registry/masterleases/", "masterleases", ""},
		{"/registry/ranges/serviceips", "", "/registry/ranges/", "ranges", ""},
		{"/registry/stable.example.com/crontabs/shop/nightly", "", "/registry/stable.example.com/crontabs/shop/", "crontabs.stable.example.com", "shop"},
		{"/registry/apiextensions.k8s.io/customresourcedefinitions/crontabs.stable.example.com", "", "/registry/apiextensions.k8s.io/customresourcedefinitions/", "customresourcedefinitions.apiextensions.k8s.io", ""},
		{"/registry/health", "", "/registry/", "", ""},
		// Its lists and watches.
		{"/registry/pods/", "/registry/pods0", "/registry/pods/", "pods", ""},
		{"/registry/pods/shop/", "/registry/pods/shop0", "/registry/pods/shop/", "pods", "shop"},
		{"/registry/pods/shop/web-1\x00", "/registry/pods0", "/registry/pods/", "pods", ""},
		{"/registry/pods/shop/web-1\x00", "/registry/pods/shop0", "/registry/pods/shop/", "pods", "shop"},
		{"/registry/stable.example.com/crontabs/", "/registry/stable.example.com/crontabs0", "/registry/stable.example.com/crontabs/", "crontabs.stable.example.com", ""},
		{"/registry/services/specs/", "/registry/services/specs0", "/registry/services/specs/", "services", ""},
		{"/registry/", "/registry0", "/registry/", "", ""},
		// Other users of etcd.
		{"compact_rev_key", "", "", "", ""},
		{"/bootstrap/9f86d081", "", "/bootstrap/", "", ""},
		{"/service/batman/leader", "", "/service/batman/", "", ""},
		{"cilium/state/identities/v1/id/7", "", "cilium/state/", "", ""},
		{"/apisix/routes/1", "", "/apisix/routes/", "", ""},
		{"/a", "", "/", "", ""},
		{"hello", "", "", "", ""},
		{"/a/b/", "/a/b0", "/a/b/", "", ""},
		{"/a/b/x", "/a/b/z", "/a/b/", "", ""},
		{"/a/b", "/a/c", "/a/", "", ""},
		{"\x00", "\x00", "", "", ""},
		{"/registry/pods/", "\x00", "", "", ""},
		// Neither a name that Kubernetes has not, nor one without an end.
		{"/registry/POD s/x/y", "", "/registry/POD s/x/", "", ""},
		{"/registry/pods/a b/y", "", "/registry/pods/a b/", "pods", ""},
		{"/registry/services/other/x", "", "/registry/services/other/", "", ""},
		{long + "/a/b", "", "", "", ""},
	} {
		k := newKeys()
		prefix := string(k.of([]byte(c.key), []byte(c.end)))
		require.Equal(t, c.prefix, prefix, "%q to %q", c.key, c.end)
		resource, namespace := k.named(prefix)
		require.Equal(t, []string{c.resource, c.namespace}, []string{resource, namespace}, "%q to %q", c.key, c.end)
	}
}

// What is told of keys is what they share: never the name of an object.
func TestKeysAreToldByTheirFolder(t *testing.T) {
	for _, c := range []struct{ key, end, prefix string }{
		{"/registry/secrets/default/token", "", "/registry/secrets/default/"},
		{"/registry/secrets/default/", "/registry/secrets/default0", "/registry/secrets/default/"},
		{"/a/b/c", "/a/bz", "/a/"},
		{"/a/b", "\x00", ""},
		{"password", "", ""},
		{"", "", ""},
		{"a", "b", ""},
	} {
		require.Equal(t, c.prefix, string(newKeys().of([]byte(c.key), []byte(c.end))), "%q to %q", c.key, c.end)
	}
}

// TestRootsAreLearned has API servers with other values of --etcd-prefix recognised by
// what they store.
func TestRootsAreLearned(t *testing.T) {
	r := NewRecorder()
	one := Totals{Writes: 1}
	r.about([]byte("/east/registry/configmaps/kube-system/extension-apiserver-authentication"), nil, &one)
	r.about([]byte("/east/registry/pods/shop/web-1"), nil, &one)
	r.about([]byte("/kubernetes.io/serviceaccounts/shop/default"), nil, &one)
	r.about([]byte("/kubernetes.io/deployments/shop/web"), nil, &one)
	r.about([]byte("/patroni/configmaps"), nil, &one)
	got := map[string]string{}
	for _, p := range r.Report(0, 0).Prefixes {
		got[p.Prefix] = p.Resource + " in " + p.Namespace
	}
	require.Equal(t, map[string]string{
		"/east/registry/configmaps/kube-system/": "configmaps in kube-system",
		"/east/registry/pods/shop/":              "pods in shop",
		"/kubernetes.io/serviceaccounts/shop/":   "serviceaccounts in shop",
		"/kubernetes.io/deployments/shop/":       "deployments in shop",
		"/patroni/":                              " in ",
	}, got)
	// A client cannot have more than some.
	for i := range 2 * maxRoots {
		r.about([]byte("/root"+strings.Repeat("x", i)+"/configmaps/a/b"), nil, &one)
	}
	require.Len(t, *r.keys.roots.Load(), maxRoots)
}

// FuzzKeys has no key lead to a prefix that is none of it, that shows the last part of
// its path, or that cannot be shown.
func FuzzKeys(f *testing.F) {
	f.Add([]byte("/registry/pods/shop/web"), []byte(""))
	f.Add([]byte("/registry/stable.example.com/crontabs/"), []byte("/registry/stable.example.com/crontabs0"))
	f.Add([]byte("\xff/\n/\x00"), []byte("\x00"))
	f.Fuzz(func(t *testing.T, key, end []byte) {
		k := newKeys()
		k.learn(key)
		prefix := k.of(key, end)
		require.True(t, strings.HasPrefix(string(key), string(prefix)))
		require.LessOrEqual(t, len(prefix), maxPrefix+maxRoot)
		if len(prefix) > 0 && len(prefix) < maxPrefix {
			require.Equal(t, byte('/'), prefix[len(prefix)-1])
		}
		k.named(string(prefix))
		shown := label(string(prefix), maxPrefix)
		require.True(t, utf8.ValidString(shown))
		require.LessOrEqual(t, len(shown), maxPrefix)
		require.NotContains(t, shown, "\n")
	})
}

func TestLabels(t *testing.T) {
	for in, want := range map[string]string{
		"etcdctl/3.7":              "etcdctl/3.7",
		"a\nb\x1b[31mc\xff":        "a?b?[31mc?",
		"zażółć":                   "zażółć",
		"\u202egnp.exe":            "?gnp.exe",
		strings.Repeat("x", 128):   strings.Repeat("x", 128),
		strings.Repeat("x", 129):   strings.Repeat("x", 125) + "…",
		strings.Repeat("ż", 65):    strings.Repeat("ż", 62) + "…",
		strings.Repeat("\xff", 99): strings.Repeat("?", 99),
	} {
		require.Equal(t, want, label(in, 128))
	}
}
