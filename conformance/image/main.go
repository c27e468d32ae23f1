package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/zkine/zkine/conformance/rig"
)

// systemCA is where Debian has the bundle.
const systemCA = "/etc/ssl/certs/ca-certificates.crt"

func main() {
	var s Spec
	flag.StringVar(&s.Version, "version", "devel", "zkine's version, and the images' tag")
	flag.StringVar(&s.Zkine, "program", "", "zkine's program, static")
	flag.StringVar(&s.CA, "ca", systemCA, "the bundle of authorities")
	flag.StringVar(&s.Arch, "arch", "", "the program's architecture, for an image without Java (default: this machine's)")
	out := flag.String("out", ".", "folder for the images")
	flag.Parse()
	if err := run(context.Background(), s, *out); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, s Spec, out string) error {
	if s.Zkine == "" || flag.NArg() > 0 {
		return errors.New("write it like: image -program bin/zkine -out dist")
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	if err := write(s, "zkine", out); err != nil || s.Arch != "" {
		return err
	}
	var err error
	if s.Java, err = machinesJava(ctx); err != nil {
		return err
	}
	return write(s, "zkine-zookeeper", out)
}

// machinesJava is the layer with the runtime and the ZooKeeper that make run uses on this machine.
func machinesJava(ctx context.Context) (*layer, error) {
	found, err := rig.FindZooKeeper()
	if err != nil {
		return nil, err
	}
	home, err := homeOf(ctx, found.Java)
	if err != nil {
		return nil, err
	}
	return java(ctx, home, found.ClassPath)
}

// homeOf asks a runtime where it lies.
func homeOf(ctx context.Context, java string) (string, error) {
	out, err := exec.CommandContext(ctx, java, "-XshowSettings:properties", "-version").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", java, err, out)
	}
	for line := range strings.Lines(string(out)) {
		if home, is := strings.CutPrefix(strings.TrimSpace(line), "java.home = "); is {
			return filepath.EvalSymlinks(home)
		}
	}
	return "", fmt.Errorf("%s does not tell its java.home", java)
}

// write builds an image and writes it to a file of its name.
func write(s Spec, title, out string) error {
	image, err := Build(s)
	if err != nil {
		return err
	}
	tag, err := name.NewTag("zkine/" + title + ":" + strings.ReplaceAll(s.Version, "+", "_"))
	if err != nil {
		return err
	}
	file := filepath.Join(out, title+".tar")
	if err := tarball.WriteToFile(file, tag, image); err != nil {
		return err
	}
	return tell(image, tag, file)
}

func tell(image v1.Image, tag name.Tag, file string) error {
	digest, err := image.Digest()
	if err != nil {
		return err
	}
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	_, err = fmt.Printf("%s: %s, %d MB, %s\n", file, tag, info.Size()/1e6, digest)
	return err
}
