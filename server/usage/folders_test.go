package usage

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFolders(t *testing.T) {
	for _, c := range []struct {
		key   string
		parts int
		want  string
	}{
		{"/registry/pods/shop/web", 2, "/registry/pods/"},
		{"/registry/pods/shop/web", 1, "/registry/"},
		{"/registry/pods/shop/web", 3, "/registry/pods/shop/"},
		{"/registry/pods/shop/web", 16, "/registry/pods/shop/"},
		{"/registry/apps.example.com/things/shop/a", 1, "/registry/"},
		{"/registry/apps.example.com/things/shop/a", 2, "/registry/apps.example.com/things/"},
		{"/registry/apps.example.com/things/shop/a", 3, "/registry/apps.example.com/things/shop/"},
		{"/registry/apps.example.com/x", 2, "/registry/apps.example.com/"},
		{"/registry/services/specs/shop/web", 2, "/registry/services/specs/"},
		{"/registry/services/endpoints/shop/web", 3, "/registry/services/endpoints/shop/"},
		{"/registry/leases/kube-node-lease/node-1", 2, "/registry/leases/"},
		{"/registry/health", 2, "/registry/"},
		{"/east/registry/apiextensions.k8s.io/customresourcedefinitions/a", 3, "/east/registry/apiextensions.k8s.io/customresourcedefinitions/"},
		{"/east/registry/apps.example.com/things/shop/a", 3, "/east/registry/apps.example.com/things/"},
		{"/east/registry/apps.example.com/things/shop/a", 2, "/east/registry/"},
		{"/app/services/a/b", 2, "/app/services/"},
		{"/a/b.c/d/e", 2, "/a/b.c/"},
		{"compact_rev_key", 2, ""},
		{"/short", 2, "/"},
		{"a/b/c", 2, "a/b/"},
		{"", 2, ""},
		{"/", 2, "/"},
		{"//x", 2, "//"},
		{strings.Repeat("x", 1000), 2, ""},
		{"/" + strings.Repeat("x", 1000) + "/y", 1, "/"},
	} {
		f := NewFolders()
		f.Of([]byte("/east/registry/configmaps/shop/a"), 1) // which shows a root
		require.Equal(t, c.want, string(f.Of([]byte(c.key), c.parts)), "%d of %q", c.parts, c.key)
	}
}

// TestFoldersAreWhatIsCounted has a request for an object counted under its folder.
func TestFoldersAreWhatIsCounted(t *testing.T) {
	for _, key := range []string{"/registry/pods/shop/web", "/registry/clusterroles/a", "/registry/services/specs/shop/web", "/registry/a.b/things/shop/x"} {
		require.Equal(t, string(newKeys().of([]byte(key), nil)), string(NewFolders().Of([]byte(key), 3)))
	}
	for _, key := range []string{"/service/batman/leader", "/a", "hello", "//x", "a/b/c"} {
		require.Equal(t, string(newKeys().of([]byte(key), nil)), string(NewFolders().Of([]byte(key), 2)))
	}
}
