package embedded

import (
	"archive/zip"
	"bufio"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

var (
	jarVersion  = regexp.MustCompile(`^zookeeper-(\d+\.\d+\.\d+)[^/]*\.jar$`)
	versionForm = regexp.MustCompile(`^(\d+)\.(\d+)\.(\d+)`)
)

// KnownBad says in a sentence what is wrong with a ZooKeeper version that is known to lose acknowledged writes or to
// stall, and what to run instead; "" when nothing is known against it, or the version cannot be read.
func KnownBad(version string) string {
	m := versionForm.FindStringSubmatch(version)
	if m == nil {
		return ""
	}
	minor, _ := strconv.Atoi(m[2])
	patch, _ := strconv.Atoi(m[3])
	// ZOOKEEPER-4537, 4643, 4646, 4785 on both lines; 4394, 4712, 4846, 4925 on 3.9.
	if m[1] != "3" || minor != 8 && minor != 9 || patch > 4 {
		return ""
	}
	return fmt.Sprintf("ZooKeeper %s can lose acknowledged writes or stall; use 3.9.5 or newer (on the 3.8 line: 3.8.6)", m[0])
}

// IsOlder says whether a version is known, and older than this one.
func IsOlder(version string, major, minor int) bool {
	d := Distribution{Version: version}
	return versionForm.MatchString(version) && !d.IsSince(major, minor)
}

// IsSince says whether the version is known, and is this one or newer.
func (d *Distribution) IsSince(major, minor int) bool {
	m := versionForm.FindStringSubmatch(d.Version)
	if m == nil {
		return false
	}
	hasMajor, _ := strconv.Atoi(m[1])
	hasMinor, _ := strconv.Atoi(m[2])
	return hasMajor > major || hasMajor == major && hasMinor >= minor
}

// versionOf reads the version of a zookeeper.jar from its file name (a link's target), or else from its manifest;
// "" when neither says.
func versionOf(jar string) string {
	if real, err := filepath.EvalSymlinks(jar); err == nil {
		if m := jarVersion.FindStringSubmatch(filepath.Base(real)); m != nil {
			return m[1]
		}
	}
	return versionForm.FindString(manifest(jar, "Implementation-Version"))
}

// manifest returns a main attribute of a jar's manifest, "" when there is none.
func manifest(jar, attribute string) string {
	archive, err := zip.OpenReader(jar)
	if err != nil {
		return ""
	}
	defer archive.Close()
	file, err := archive.Open("META-INF/MANIFEST.MF")
	if err != nil {
		return ""
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), ": "); ok && name == attribute {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
