package archive

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/conformance/rig"
	"github.com/zkine/zkine/conformance/rig/rigtest"
	"github.com/zkine/zkine/revision/zktest"
)

// metric reads a number of a zkine's metrics.
func metric(t *testing.T, z *rigtest.Zkine, name string) string {
	t.Helper()
	_, body, err := rig.Probe(within(t), "http://"+z.Metrics+"/metrics")
	require.NoError(t, err)
	found := regexp.MustCompile(`(?m)^` + name + ` (.*)$`).FindStringSubmatch(body)
	require.NotNil(t, found, name)
	return found[1]
}

// TestAZkineArchivesToS3, while the store comes and goes.
func TestAZkineArchivesToS3(t *testing.T) {
	g := startGateway(t)
	url := g.url(t, "bucket", secretKey)
	z := rigtest.Start(t, "--archive="+url, "--archive-interval=1s", "--log-segment-slots=20")
	c := connect(t, z)
	put(t, c, 100)
	require.Eventually(t, func() bool { return verified(t, url) >= 100 }, patience, 100*time.Millisecond)

	down := time.Now()
	g.Kill()
	put(t, c, 100)
	require.Eventually(t, func() bool { return metric(t, z, "zkine_archive_failures_total") != "0" }, patience, 100*time.Millisecond)
	require.Equal(t, http.StatusOK, z.Probe("/readyz"), "it goes on serving")
	const warning = "the archive does not follow" // written behind the count
	require.Eventually(t, func() bool { return strings.Contains(z.Output(), warning) }, patience, 100*time.Millisecond)
	require.LessOrEqual(t, strings.Count(z.Output(), warning), 1+int(time.Since(down).Minutes()), "it warns, and not again and again")
	g.start(t)
	require.Eventually(t, func() bool { return verified(t, url) >= 200 }, patience, 100*time.Millisecond)
	require.Eventually(t, func() bool { return strings.Contains(z.Output(), "the archive follows again") }, patience, 100*time.Millisecond)
	require.Equal(t, "0", metric(t, z, "zkine_archive_holes_total"))
	require.NotContains(t, z.Output(), secretKey)
}

// TestSeveralArchiversOfOneRoot write nothing twice: what is there stays as it is.
func TestSeveralArchiversOfOneRoot(t *testing.T) {
	g := startGateway(t)
	url := g.url(t, "bucket", secretKey)
	root := zktest.Root(t)
	z := rigtest.StartOn(t, zktest.Shared(t).Addr(), root)
	c := connect(t, z)
	args := []string{"archive", "--once", "--zookeeper=" + zktest.Shared(t).Addr(), "--zookeeper-root=" + root, "--to=" + url}
	for range 3 {
		put(t, c, 20)
		done := make(chan string)
		for range 3 {
			go func() {
				out, err := exec.CommandContext(context.Background(), rigtest.Program(t), args...).CombinedOutput()
				if err != nil {
					out = fmt.Appendf(out, "%v", err)
				}
				done <- string(out)
			}()
		}
		for range 3 {
			require.Contains(t, <-done, "archived up to slot")
		}
	}
	require.GreaterOrEqual(t, verified(t, url), 60)
	code, out, _ := zkine(t, args...)
	require.Zero(t, code)
	require.Contains(t, out, "wrote 0 slots and 0 checkpoints in 0 objects of 0 bytes")
}

// TestWhatAStoreAnswers becomes one line each.
func TestWhatAStoreAnswers(t *testing.T) {
	g := startGateway(t)
	root := zktest.Root(t)
	put(t, connect(t, rigtest.StartOn(t, zktest.Shared(t).Addr(), root)), 1)
	answers := func(code int, body string) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(code)
			w.Write([]byte(body)) //nolint:errcheck // the client may be gone
		}))
		t.Cleanup(s.Close)
		return s3URL(t, s.URL, "bucket", secretKey)
	}
	closed, err := rig.FreeAddress("127.0.0.1")
	require.NoError(t, err)
	for url, want := range map[string]string{
		g.url(t, "nowhere", secretKey):                         "there is no such bucket: create it, zkine does not",
		g.url(t, "bucket", "wrong"):                            `refuses \(SignatureDoesNotMatch, 403\): give these credentials`,
		answers(http.StatusServiceUnavailable, ""):             `is not available \(.*503\)`,
		answers(http.StatusNotFound, "<html>not found</html>"): `bucket bucket/some/prefix at http.*`,
		answers(http.StatusOK, "<html>welcome</html>"):         `bucket/some/prefix at http|not an archive of zkine's|not a zkine's`,
		s3URL(t, "http://"+closed, "bucket", secretKey):        `bucket bucket/some/prefix at http.*connection refused`,
	} {
		code, _, stderr := zkine(t, "archive", "--once", "--zookeeper="+zktest.Shared(t).Addr(), "--zookeeper-root="+root, "--to="+url)
		require.Regexp(t, want, oneProblem(t, code, stderr))
		require.NotContains(t, stderr, secretKey)
		code, _, stderr = zkine(t, "archive", "verify", "--archive="+url)
		require.Regexp(t, want, oneProblem(t, code, stderr))
	}
	entries, err := os.ReadDir(filepath.Join(g.folder, "bucket"))
	require.NoError(t, err)
	require.Empty(t, entries)
}

// TestADiskThatFills: nothing is half done, and what is there stays sound.
func TestADiskThatFills(t *testing.T) {
	root, folder := zktest.Root(t), t.TempDir()
	c := connect(t, rigtest.StartOn(t, zktest.Shared(t).Addr(), root))
	put(t, c, 3)
	args := []string{"archive", "--once", "--zookeeper=" + zktest.Shared(t).Addr(), "--zookeeper-root=" + root, "--to=" + folder}
	code, _, stderr := zkine(t, args...)
	require.Zero(t, code, stderr)
	before := verified(t, folder)
	_, err := c.Put(within(t), "large", strings.Repeat(fmt.Sprint(time.Now().UnixNano()), 20_000)+string(incompressible(200_000)))
	require.NoError(t, err)
	// No file may have more than some KiB.
	limited := exec.CommandContext(within(t), "sh", append([]string{"-c", `ulimit -f 32; exec "$@"`, "sh", rigtest.Program(t)}, args...)...)
	code, _, stderr = runZkine(t, limited)
	require.Regexp(t, "slots/.*file too large", oneProblem(t, code, stderr))
	require.Equal(t, before, verified(t, folder))
	code, _, stderr = zkine(t, args...)
	require.Zero(t, code, stderr)
	require.Greater(t, verified(t, folder), before)
	require.NoError(t, filepath.WalkDir(folder, func(path string, _ os.DirEntry, err error) error {
		require.NotContains(t, path, "unfinished")
		return err
	}))
}
