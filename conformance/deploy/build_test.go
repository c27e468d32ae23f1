package deploy

import (
	"bytes"
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/conformance/rig"
)

var fresh = flag.Bool("fresh", false, "build each time from the start, with a build cache of its own: minutes")

// version is what the builds are told; only the builds of one commit and one version are alike.
const version = "v1.2.3-test"

// TestBuildIsReproducible builds zkine in two copies of the checkout, in folders whose names differ in length, and as the
// image does; all three are the same bytes. With -fresh (make reproducible) each compiles everything again.
func TestBuildIsReproducible(t *testing.T) {
	root, err := rig.Checkout()
	require.NoError(t, err)
	one, other := filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "another", "folder")
	image := filepath.Join(t.TempDir(), "src")
	for _, dir := range []string{one, other, image} {
		copySources(t, root, dir, product...)
	}
	want := build(t, one, "make", "build", "VERSION="+version, "ZKINE="+filepath.Join(one, "zkine"))
	t.Logf("make build: %x", want)
	require.Equal(t, want, build(t, other, "make", "build", "VERSION="+version, "ZKINE="+filepath.Join(other, "zkine")), "in another folder")
	require.Equal(t, want, build(t, image, "sh", "-c", imageBuild(t, root, image)), "as the image does")
}

// product is what zkine is built from.
var product = []string{"Makefile", "go.mod", "go.sum", "backend", "cmd", "revision", "server"}

// copySources copies what git knows of some paths of the checkout, as it lies there, changed or not.
func copySources(t *testing.T, root, dir string, paths ...string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(dir, 0o755))
	list := exec.CommandContext(t.Context(), "git", append([]string{"ls-files", "-z", "--cached", "--others", "--exclude-standard"}, paths...)...)
	list.Dir = root
	names, err := list.Output()
	require.NoError(t, err, "git ls-files")
	for name := range strings.SplitSeq(strings.TrimSuffix(string(names), "\x00"), "\x00") {
		text, err := os.ReadFile(filepath.Join(root, name))
		if os.IsNotExist(err) {
			continue // removed, and not committed yet
		}
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), text, 0o644))
	}
}

// imageBuild is the command by which the image's program is built, with a folder here in place of the image's.
func imageBuild(t *testing.T, root, dir string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "deploy", "container", "Dockerfile"))
	require.NoError(t, err)
	run := regexp.MustCompile(`(?m)^RUN (CGO_ENABLED=0 go build .*)$`).FindSubmatch(text)
	require.NotNil(t, run, "the Dockerfile builds zkine in one line")
	return "VERSION=" + version + "; " + strings.ReplaceAll(string(run[1]), "/image/", dir+"/")
}

// build runs a command in a folder, and returns the sum of the program that it has made there.
func build(t *testing.T, dir, command string, args ...string) [sha256.Size]byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), command, args...)
	cmd.Dir = dir
	cmd.Env = os.Environ()
	if *fresh {
		cmd.Env = append(cmd.Env, "GOCACHE="+t.TempDir())
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	require.NoError(t, cmd.Run(), "%s: %s", fmt.Sprint(cmd.Args), &out)
	program, err := os.ReadFile(filepath.Join(dir, "zkine"))
	require.NoError(t, err)
	return sha256.Sum256(program)
}
