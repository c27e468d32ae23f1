// Package machine says on what numbers were taken, for those who read them.
package machine

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Describe says on what numbers are taken whose data is in the folder: processors, file system, how long an fsync takes,
// and how busy the machine is. It refuses a folder in memory.
func Describe(dir string) (string, error) {
	sync, err := fsyncTime(dir)
	if err != nil {
		return "", err
	}
	system, err := fileSystem(dir)
	if err != nil {
		return "", err
	}
	average, _ := os.ReadFile("/proc/loadavg") // not everywhere
	return fmt.Sprintf("%s: %d processors (%s), data on %s, fsync of 4 KiB takes %v (median of %d), load before: %s",
		time.Now().Format("2006-01-02 15:04"), runtime.NumCPU(), processor(), system, round(sync), fsyncs, bytes.TrimSpace(average)), nil
}

// processor is the model's name.
func processor() string {
	info, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(info)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

// fileSystems are the magic numbers of statfs(2).
var fileSystems = map[int64]string{
	0xef53: "ext4", 0x58465342: "xfs", 0x9123683e: "btrfs", 0x2fc12fc1: "zfs", 0x794c7630: "overlayfs", 0x01021994: "tmpfs",
}

// fileSystem names the one that holds the folder, and refuses one in memory: there, fsync costs nothing.
func fileSystem(dir string) (string, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return "", err
	}
	name, known := fileSystems[s.Type]
	switch {
	case name == "tmpfs":
		return "", fmt.Errorf("%s is in memory: choose a folder on a disk with -dir", dir)
	case !known:
		return fmt.Sprintf("file system %#x", s.Type), nil
	}
	return name, nil
}

const fsyncs = 100

// fsyncTime is how long the disk takes to make a small write last.
func fsyncTime(dir string) (time.Duration, error) {
	f, err := os.Create(filepath.Join(dir, "fsync"))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	var times []time.Duration
	for range fsyncs {
		if _, err := f.Write(make([]byte, 4096)); err != nil {
			return 0, err
		}
		began := time.Now()
		if err := f.Sync(); err != nil {
			return 0, err
		}
		times = append(times, time.Since(began))
	}
	slices.Sort(times)
	return times[len(times)/2], nil
}

// round leaves three digits.
func round(d time.Duration) time.Duration {
	unit := time.Duration(1)
	for d/unit >= 1000 {
		unit *= 10
	}
	return d.Round(unit)
}
