package deploy

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/conformance/rig"
	"github.com/zkine/zkine/conformance/rig/rigtest"
)

// TestReleaseIsReproducible makes a release in two copies of the checkout, and looks into it: the same bytes, the program
// with its version, its manual and completions, and a list of what it is built from. It is made for this platform alone,
// and without the list, whose maker would have to be built; with -fresh (make reproducible) for all.
func TestReleaseIsReproducible(t *testing.T) {
	root, err := rig.Checkout()
	require.NoError(t, err)
	var outs []string
	for _, dir := range []string{filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "another", "folder")} {
		copySources(t, root, dir, append(product, "LICENSE", "README.md", "CHANGELOG.md", "SECURITY.md", "docs", "deploy")...)
		outs = append(outs, makeRelease(t, dir))
	}
	sums, err := os.ReadFile(filepath.Join(outs[0], "SHA256SUMS"))
	require.NoError(t, err)
	again, err := os.ReadFile(filepath.Join(outs[1], "SHA256SUMS"))
	require.NoError(t, err)
	require.Equal(t, string(sums), string(again))

	files := 1
	if *fresh {
		files = 2 * 5
	}
	require.Len(t, strings.Fields(string(sums)), 2*files, "an archive and a list for each platform, with their sums")
	name := "zkine_" + strings.TrimPrefix(version, "v") + "_" + runtime.GOOS + "_" + runtime.GOARCH
	requireContents(t, outs[0], name)
	if !*fresh {
		return
	}
	requireParts(t, filepath.Join(outs[0], name+".sbom.json"))
}

// TestReleaseBesideImages looks at what make would do for both: a release wants a folder that is not there yet, so that of
// the images must be elsewhere.
func TestReleaseBesideImages(t *testing.T) {
	root, err := rig.Checkout()
	require.NoError(t, err)
	dry := exec.CommandContext(t.Context(), "make", "--dry-run", "images", "release")
	dry.Dir = root
	text, err := dry.CombinedOutput()
	require.NoError(t, err, "%s", text)
	images := regexp.MustCompile(`-out \.\./(\S+)`).FindSubmatch(text)
	release := regexp.MustCompile(`deploy/release\.sh (\S+)`).FindSubmatch(text)
	require.True(t, images != nil && release != nil, "%s", text)
	inside, err := filepath.Rel(string(release[1]), string(images[1]))
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(inside, ".."), "the images are in %s, the release in %s", images[1], release[1])
}

// makeRelease runs the script in a copy of the checkout and returns the folder that it has made.
func makeRelease(t *testing.T, dir string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "dist")
	cmd := exec.CommandContext(t.Context(), "bash", filepath.Join(dir, "deploy", "release.sh"), out)
	cmd.Env = append(os.Environ(), "VERSION="+version, "SOURCE_DATE_EPOCH=1700000000")
	if *fresh {
		cmd.Env = append(cmd.Env, "GOCACHE="+t.TempDir(), "CYCLONEDX="+rigtest.Component(t, "cyclonedx-gomod"))
	} else {
		cmd.Env = append(cmd.Env, "PLATFORMS="+runtime.GOOS+"/"+runtime.GOARCH, "CYCLONEDX=none")
	}
	text, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", text)
	return out
}

// requireContents checks the sums and unpacks the archive.
func requireContents(t *testing.T, out, name string) {
	t.Helper()
	check := exec.CommandContext(t.Context(), "sha256sum", "--check", "--strict", "SHA256SUMS")
	check.Dir = out
	text, err := check.CombinedOutput()
	require.NoError(t, err, "%s", text)
	dir := t.TempDir()
	text, err = exec.CommandContext(t.Context(), "tar", "-C", dir, "-xzf", filepath.Join(out, name+".tar.gz")).CombinedOutput()
	require.NoError(t, err, "%s", text)
	said, err := exec.CommandContext(t.Context(), filepath.Join(dir, name, "zkine"), "version").Output()
	require.NoError(t, err)
	require.Contains(t, string(said), version)
	for file, holds := range map[string]string{
		"man/man1/zkine-server.1": "--listen-client-urls", "man/man1/zkine.1": ".TH", "completions/zkine.bash": "__start_zkine",
		"completions/_zkine": "#compdef zkine", "completions/zkine.fish": "complete -c zkine",
		"CHANGELOG.md": "Changelog", "LICENSE": "Apache License", "deploy/systemd/zkine.service": "[Service]",
	} {
		text, err := os.ReadFile(filepath.Join(dir, name, file))
		require.NoError(t, err)
		require.Contains(t, string(text), holds, file)
	}
}

// requireParts reads the list of what the program is built from.
func requireParts(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var list struct {
		BomFormat string
		Metadata  struct {
			Timestamp string
			Component struct{ Version string }
		}
		Components []struct{ Name, Version string }
	}
	require.NoError(t, json.Unmarshal(text, &list))
	require.Equal(t, "CycloneDX", list.BomFormat)
	require.Equal(t, "2023-11-14T22:13:20Z", list.Metadata.Timestamp)
	require.Equal(t, version, list.Metadata.Component.Version)
	for _, name := range []string{"std", "github.com/go-zookeeper/zk", "google.golang.org/grpc"} {
		require.True(t, slices.ContainsFunc(list.Components, func(c struct{ Name, Version string }) bool { return c.Name == name && c.Version != "" }), name)
	}
	require.False(t, slices.ContainsFunc(list.Components, func(c struct{ Name, Version string }) bool { return strings.Contains(c.Name, "md2man") }),
		"what writes the manual is not in the program")
}
