package main

import (
	"context"
	"fmt"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

const (
	javaHome     = "/usr/lib/jvm/java"
	zooKeeperDir = "/opt/zookeeper"
)

// unused are parts of a Java runtime that ZooKeeper has no use for, by their names: what is for programmers, for
// people to read, for screens and sound.
var unused = regexp.MustCompile(`^(jmods|include|man|demo|sample|legal|docs|src\.zip|ct\.sym|.*\.debuginfo|.*\.diz|.*\.a|` +
	`lib(awt|splash|font|jsound|lcms|javajpeg|mlib|freetype|harfbuzz|attach|saproc|jdwp).*|classlist|sound\.properties|swingall.*)$`)

// resolved is a line of ldd's: a library, and where it is.
var resolved = regexp.MustCompile(`(?m)^\s*(?:\S+ => )?(/\S+) \(0x`)

// java has a layer with the runtime at home, its libraries, and ZooKeeper's jars.
func java(ctx context.Context, home string, jars []string) (*layer, error) {
	l := newLayer()
	skip := func(name string) bool { return unused.MatchString(name) }
	for _, part := range []string{"lib", "conf"} {
		if err := l.copyTree(filepath.Join(home, part), path.Join(javaHome, part), skip); err != nil {
			return nil, fmt.Errorf("the Java runtime: %w", err)
		}
	}
	program := filepath.Join(home, "bin", "java")
	if err := l.copy(program, path.Join(javaHome, "bin", "java")); err != nil {
		return nil, fmt.Errorf("the Java runtime: %w", err)
	}
	libraries, err := librariesOf(ctx, home, program, skip)
	if err != nil {
		return nil, err
	}
	for _, library := range libraries {
		if err := l.copy(library, library); err != nil {
			return nil, err
		}
	}
	for _, jar := range jars {
		jar, err := filepath.EvalSymlinks(jar) // its name then has its version
		if err != nil {
			return nil, fmt.Errorf("ZooKeeper: %w", err)
		}
		if err := l.copy(jar, path.Join(zooKeeperDir, filepath.Base(jar))); err != nil {
			return nil, fmt.Errorf("ZooKeeper: %w", err)
		}
	}
	return l, nil
}

// librariesOf are the system's libraries that the runtime loads, and their loader.
func librariesOf(ctx context.Context, home, program string, skip func(string) bool) (all []string, err error) {
	objects, err := filepath.Glob(filepath.Join(home, "lib", "*.so"))
	if err != nil {
		return nil, err
	}
	vm, err := filepath.Glob(filepath.Join(home, "lib", "server", "*.so"))
	if err != nil {
		return nil, err
	}
	for _, object := range append(append(objects, vm...), program) {
		if skip(filepath.Base(object)) {
			continue
		}
		out, err := exec.CommandContext(ctx, "ldd", object).CombinedOutput()
		if err != nil {
			return nil, fmt.Errorf("ldd %s: %w\n%s", object, err, out)
		}
		for _, match := range resolved.FindAllStringSubmatch(string(out), -1) {
			if !strings.HasPrefix(filepath.Clean(match[1]), home) && !slices.Contains(all, match[1]) {
				all = append(all, match[1])
			}
		}
	}
	if len(all) < 2 {
		return nil, fmt.Errorf("ldd found only %q: is %s a program of this machine?", all, program)
	}
	slices.Sort(all)
	return all, nil
}
