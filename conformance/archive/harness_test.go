package archive

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/zkine/zkine/conformance/rig"
	"github.com/zkine/zkine/conformance/rig/rigtest"
	"github.com/zkine/zkine/revision/zktest"
)

// patience bounds every wait for what must come.
const patience = 2 * time.Minute

func TestMain(m *testing.M) { zktest.Main(m) }

// gateway is a server of S3.
type gateway struct {
	*rig.Process
	address, folder string
}

const accessKey, secretKey = "zkine", "not-a-secret"

// startGateway starts versitygw with a bucket "bucket".
func startGateway(t *testing.T) *gateway {
	t.Helper()
	address, err := rig.FreeAddress("127.0.0.1")
	require.NoError(t, err)
	g := &gateway{address: address, folder: t.TempDir()}
	require.NoError(t, os.Mkdir(filepath.Join(g.folder, "bucket"), 0o700))
	g.Process = rig.New(rig.Program{
		Path: rigtest.Component(t, "versitygw"),
		Args: []string{"--port=" + address, "--access=" + accessKey, "--secret=" + secretKey, "--health=/health", "posix", "--sidecar=" + t.TempDir(), g.folder},
	})
	t.Cleanup(func() {
		g.Kill()
		if t.Failed() {
			t.Logf("versitygw printed:\n%.5000s", g.Output())
		}
	})
	g.start(t)
	return g
}

func (g *gateway) start(t *testing.T) {
	t.Helper()
	require.NoError(t, g.Start())
	require.Eventually(t, func() bool {
		response, err := http.Get("http://" + g.address + "/health")
		if err != nil {
			return false
		}
		response.Body.Close()
		return response.StatusCode == http.StatusOK
	}, patience, 20*time.Millisecond)
}

// url names a bucket there, with credentials in a file.
func (g *gateway) url(t *testing.T, bucket, secret string) string {
	t.Helper()
	return s3URL(t, "http://"+g.address, bucket, secret)
}

func s3URL(t *testing.T, endpoint, bucket, secret string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "credentials")
	require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, "[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", accessKey, secret), 0o600))
	return "s3://" + bucket + "/some/prefix?region=us-east-1&endpoint=" + endpoint + "&credentials-file=" + file
}

// zkine runs a command to its end.
func zkine(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	program := rigtest.Program(t)
	return runZkine(t, exec.CommandContext(within(t), program, args...))
}

func runZkine(t *testing.T, cmd *exec.Cmd) (code int, stdout, stderr string) {
	t.Helper()
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	err := cmd.Run()
	var exit *exec.ExitError
	require.True(t, err == nil || errors.As(err, &exit), err)
	return cmd.ProcessState.ExitCode(), out.String(), complaints.String()
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func connect(t *testing.T, z *rigtest.Zkine) *clientv3.Client {
	t.Helper()
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{z.Endpoint}, Logger: zap.NewNop()})
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

// put writes keys one after the other, so that each is a slot.
func put(t *testing.T, c *clientv3.Client, n int) {
	t.Helper()
	for i := range n {
		_, err := c.Put(within(t), fmt.Sprint("key", i), "value")
		require.NoError(t, err)
	}
}

var slotsVerified = regexp.MustCompile(`, (\d+) slots, `)

// verified is how many slots an archive has, which must be sound.
func verified(t *testing.T, url string) int {
	t.Helper()
	code, out, _ := zkine(t, "archive", "verify", "--archive="+url)
	if code != 0 {
		return -1
	}
	require.Contains(t, out, "\nsound\n")
	n, err := strconv.Atoi(slotsVerified.FindStringSubmatch(out)[1])
	require.NoError(t, err)
	return n
}

// oneProblem is the only line that a command has printed of what went wrong.
func oneProblem(t *testing.T, code int, stderr string) string {
	t.Helper()
	require.Equal(t, 1, code, stderr)
	line := strings.TrimSpace(stderr)
	require.NotContains(t, line, "\n")
	return line
}

// incompressible is text that zstd cannot make smaller by much.
func incompressible(n int) []byte {
	random := make([]byte, n)
	rand.Read(random)
	return random
}
