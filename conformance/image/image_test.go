package main

import (
	"archive/tar"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/zkine/zkine/conformance/rig"
	"github.com/zkine/zkine/revision/zktest"
)

const patience = 3 * time.Minute

var withJava = flag.Bool("java", false, "build and run the image with Java and ZooKeeper, too")

func TestMain(m *testing.M) { zktest.Main(m) }

// static is a zkine as make build makes it.
var static = sync.OnceValues(func() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	return rig.BuildZkine(ctx, "-trimpath")
})

func spec(t *testing.T) Spec {
	t.Helper()
	t.Setenv("CGO_ENABLED", "0")
	program, err := static()
	require.NoError(t, err)
	return Spec{Version: "v1.2.3", Zkine: program, CA: systemCA}
}

// container runs an image's programs as a container engine does: in its files and nothing else, as its user, with its
// variables; but with the network of this machine.
type container struct {
	t      *testing.T
	root   string
	config v1.Config
	env    []string
}

// unpack writes an image's files into a folder, with their owners if that may be.
func unpack(t *testing.T, file string) *container {
	t.Helper()
	image, err := tarball.ImageFromPath(file, nil)
	require.NoError(t, err)
	config, err := image.ConfigFile()
	require.NoError(t, err)
	c := &container{t: t, root: t.TempDir(), config: config.Config}
	require.NoError(t, os.Chmod(c.root, 0o755))
	require.NoError(t, os.Chmod(filepath.Dir(c.root), 0o755))
	files := mutate.Extract(image)
	defer files.Close()
	for r := tar.NewReader(files); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		to := filepath.Join(c.root, filepath.Clean("/"+h.Name))
		switch h.Typeflag {
		case tar.TypeDir:
			require.NoError(t, os.MkdirAll(to, 0o755))
		case tar.TypeSymlink:
			require.NoError(t, os.Symlink(h.Linkname, to))
			continue
		default:
			content, err := io.ReadAll(r)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(to, content, 0o644))
		}
		mode := os.FileMode(h.Mode & 0o777)
		if h.Mode&0o1000 != 0 {
			mode |= os.ModeSticky
		}
		if os.Geteuid() == 0 {
			require.NoError(t, os.Lchown(to, h.Uid, h.Gid))
		}
		require.NoError(t, os.Chmod(to, mode))
	}
	for _, mountPoint := range []string{"dev", "proc"} {
		require.NoError(t, os.Mkdir(filepath.Join(c.root, mountPoint), 0o755))
	}
	ports, err := rig.FreeAddresses(2)
	require.NoError(t, err)
	c.env = append(slices.Clone(c.config.Env), "ZKINE_LISTEN_CLIENT_URLS=http://"+ports[0], "ZKINE_LISTEN_METRICS_URLS=http://"+ports[1])
	return c
}

// command is a program in the container, with mounts of its own. It is the process that is started, from first to last.
func (c *container) command(args ...string) rig.Program {
	unshare, as := []string{"--mount"}, c.config.User
	if os.Geteuid() != 0 {
		unshare, as = append(unshare, "--map-root-user"), "0:0" // its only user
	}
	const enter = `mount --rbind /dev "$1/dev" && mount -t proc proc "$1/proc" && root=$1 user=$2 && shift 2 && exec env -i "${env[@]}" /usr/sbin/chroot --userspec="$user" "$root" "$@"`
	quoted := make([]string, len(c.env))
	for i, e := range c.env {
		quoted[i] = "'" + e + "'"
	}
	script := "env=(" + strings.Join(quoted, " ") + "); " + enter
	return rig.Program{
		Path: "/usr/bin/unshare", Name: filepath.Base(args[0]),
		Args: append(append(unshare, "bash", "-c", script, "enter", c.root, as), args...),
	}
}

// start runs what the image runs by itself.
func (c *container) start(ctx context.Context) *rig.Process {
	c.t.Helper()
	p, err := rig.Start(c.command(append(c.config.Entrypoint, c.config.Cmd...)...))
	require.NoError(c.t, err)
	c.t.Cleanup(func() {
		if c.t.Failed() {
			c.t.Log(p.Output())
		}
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
		code, err := p.Stop(end)
		require.NoError(c.t, err)
		require.Zero(c.t, code)
	})
	_, err = p.Await(ctx, "zkine is ready")
	require.NoError(c.t, err)
	return p
}

// check runs the image's health check.
func (c *container) check(ctx context.Context) error {
	test := c.config.Healthcheck.Test
	require.Equal(c.t, "CMD", test[0])
	program := c.command(test[1:]...)
	out, err := exec.CommandContext(ctx, program.Path, program.Args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// use writes, and takes a snapshot, for which a file has to be written.
func (c *container) use(ctx context.Context) {
	c.t.Helper()
	endpoint := strings.TrimPrefix(c.env[len(c.env)-2], "ZKINE_LISTEN_CLIENT_URLS=")
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{endpoint}, Logger: zap.NewNop()})
	require.NoError(c.t, err)
	defer client.Close()
	_, err = client.Put(ctx, "container", "yes")
	require.NoError(c.t, err)
	snapshot, err := client.SnapshotWithVersion(ctx)
	require.NoError(c.t, err)
	n, err := io.Copy(io.Discard, snapshot.Snapshot)
	require.NoError(c.t, err)
	require.NoError(c.t, snapshot.Snapshot.Close())
	require.Positive(c.t, n)
}

// TestImage builds the image twice, unpacks it and runs it on a ZooKeeper: not as root, with a folder for snapshots and
// the bundle of authorities, and its health check tells whether it serves.
func TestImage(t *testing.T) {
	s := spec(t) // built, which takes as long as it takes
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	one, other := t.TempDir(), t.TempDir()
	require.NoError(t, write(s, "zkine", one))
	require.NoError(t, write(s, "zkine", other))
	first, err := os.ReadFile(filepath.Join(one, "zkine.tar"))
	require.NoError(t, err)
	second, err := os.ReadFile(filepath.Join(other, "zkine.tar"))
	require.NoError(t, err)
	require.True(t, string(first) == string(second), "two builds are the same bytes")

	c := unpack(t, filepath.Join(one, "zkine.tar"))
	require.Equal(t, "65532:65532", c.config.User)
	link, err := os.Readlink(filepath.Join(c.root, "usr/local/bin/etcd"))
	require.NoError(t, err)
	require.Equal(t, "zkine", link)
	bundle, err := os.ReadFile(filepath.Join(c.root, "etc/ssl/certs/ca-certificates.crt"))
	require.NoError(t, err)
	require.Contains(t, string(bundle), "BEGIN CERTIFICATE")
	require.Error(t, c.check(ctx), "nothing runs yet")

	c.env = append(c.env[:len(c.env):len(c.env)], "ZKINE_ZOOKEEPER="+zktest.Shared(t).Addr(), "ZKINE_ZOOKEEPER_ROOT="+zktest.Root(t))
	ports := c.env[len(c.env)-4 : len(c.env)-2]
	c.start(ctx)
	c.env = append(c.env, ports...) // where use looks for them
	require.NoError(t, c.check(ctx))
	c.use(ctx)
}

// TestImageWithZooKeeper runs the image that needs nothing else: its ZooKeeper is in it.
func TestImageWithZooKeeper(t *testing.T) {
	if !*withJava {
		t.Skip("make images runs it: it packs a whole Java runtime")
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s := spec(t)
	var err error
	s.Java, err = machinesJava(ctx)
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, write(s, "zkine-zookeeper", dir))
	c := unpack(t, filepath.Join(dir, "zkine-zookeeper.tar"))
	c.start(ctx)
	require.NoError(t, c.check(ctx))
	c.use(ctx)
}
