package main

import (
	"fmt"
	"runtime"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const (
	// user runs zkine; it is no one's on ordinary systems.
	user    = 65532
	dataDir = "/var/lib/zkine"
	program = "/usr/local/bin/zkine"
)

// Spec says what goes into an image.
type Spec struct {
	Version string
	// Zkine is a static program, CA the bundle of authorities that are trusted by default; files of this machine.
	Zkine, CA string
	// Java is a layer with a runtime and ZooKeeper; nil for none.
	Java *layer
	// Arch is that of the programs, in Go's words; "" is this machine's.
	Arch string
}

// Build assembles an image.
func Build(s Spec) (v1.Image, error) {
	system, zkine := newLayer(), newLayer()
	if err := system.copy(s.CA, "/etc/ssl/certs/ca-certificates.crt"); err != nil {
		return nil, fmt.Errorf("the bundle of authorities (Debian: apt-get install ca-certificates): %w", err)
	}
	system.file("/etc/passwd", 0o644, []byte("root:x:0:0:root:/:/sbin/nologin\nzkine:x:65532:65532:zkine:/var/lib/zkine:/sbin/nologin\n"))
	system.file("/etc/group", 0o644, []byte("root:x:0:\nzkine:x:65532:\n"))
	system.file("/etc/nsswitch.conf", 0o644, []byte("hosts: files dns\n"))
	// For snapshots, while they are sent.
	system.dir("/tmp", 0o1777, 0)
	system.dir(dataDir, 0o700, user)
	if err := zkine.copy(s.Zkine, program); err != nil {
		return nil, fmt.Errorf("zkine's program (make build): %w", err)
	}
	zkine.link("/usr/local/bin/etcd", "zkine")
	layers := []*layer{system}
	if s.Java != nil {
		layers = append(layers, s.Java)
	}
	image := mutate.MediaType(empty.Image, types.DockerManifestSchema2)
	for _, l := range append(layers, zkine) {
		built, err := l.build()
		if err != nil {
			return nil, err
		}
		if image, err = mutate.AppendLayers(image, built); err != nil {
			return nil, err
		}
	}
	return mutate.ConfigFile(image, config(s, image))
}

// config is how the image is run. What it exposes is for whom its ports are published; without a published port no one
// else reaches them.
func config(s Spec, image v1.Image) *v1.ConfigFile {
	arch := s.Arch
	if arch == "" {
		arch = runtime.GOARCH
	}
	c := &v1.ConfigFile{Architecture: arch, OS: "linux", Created: v1.Time{Time: time.Unix(0, 0)}}
	if was, err := image.ConfigFile(); err == nil {
		c.RootFS, c.History = was.RootFS, was.History
	}
	c.Config = v1.Config{
		User:       fmt.Sprintf("%d:%d", user, user),
		Entrypoint: []string{program},
		Cmd:        []string{"server"},
		Env: []string{
			"PATH=/usr/local/bin",
			"ZKINE_DATA_DIR=" + dataDir,
			"ZKINE_LISTEN_CLIENT_URLS=http://0.0.0.0:2379",
			"ZKINE_LISTEN_METRICS_URLS=http://0.0.0.0:2381",
			"ZKINE_IGNORE_ETCD_FLAGS=true",
		},
		WorkingDir:   dataDir,
		Volumes:      map[string]struct{}{dataDir: {}},
		ExposedPorts: map[string]struct{}{"2379/tcp": {}, "2381/tcp": {}},
		StopSignal:   "SIGTERM",
		Healthcheck: &v1.HealthConfig{
			Test:     []string{"CMD", program, "health"},
			Interval: 10 * time.Second, Timeout: 5 * time.Second, StartPeriod: time.Minute, Retries: 3,
		},
		Labels: map[string]string{
			"org.opencontainers.image.title":       "zkine",
			"org.opencontainers.image.description": "the etcd v3 API, with its state in Apache ZooKeeper",
			"org.opencontainers.image.version":     s.Version,
			"org.opencontainers.image.source":      "https://github.com/zkine/zkine",
			"org.opencontainers.image.licenses":    "Apache-2.0",
		},
	}
	if s.Java != nil {
		c.Config.Env = append(c.Config.Env, "JAVA_HOME="+javaHome, "ZOOKEEPER_HOME="+zooKeeperDir)
	}
	return c
}
