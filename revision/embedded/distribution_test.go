package embedded_test

import (
	"archive/zip"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision/embedded"
)

// files makes empty files under a new folder and returns the folder.
func files(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, nil, 0o755))
	}
	return dir
}

func names(paths []string) []string {
	var out []string
	for _, p := range paths {
		out = append(out, filepath.Base(p))
	}
	return out
}

func TestNoJavaSaysWhatToInstall(t *testing.T) {
	t.Setenv("JAVA_HOME", "")
	t.Setenv("PATH", t.TempDir())
	for _, home := range []string{"", t.TempDir()} {
		o := zooKeeper()
		o.JavaHome = home
		_, err := embedded.Find(o)
		require.ErrorIs(t, err, embedded.ErrNoJava)
		require.ErrorContains(t, err, "default-jre-headless")
	}
}

func TestNoZooKeeperSaysWhatToInstall(t *testing.T) {
	for _, dir := range []string{
		t.TempDir(),
		files(t, "usr/share/java/zookeeper.jar"), // no jute
	} {
		_, err := embedded.Find(embedded.FindOptions{Dir: dir})
		require.ErrorIs(t, err, embedded.ErrNoZooKeeper)
		require.ErrorContains(t, err, dir)
		require.ErrorContains(t, err, "unpack an Apache ZooKeeper 3.9.5 or newer")
		require.ErrorContains(t, err, "ZOOKEEPER_HOME")
		require.NotContains(t, err.Error(), "libzookeeper-java", "Debian's own is KnownBad")
	}
}

func TestApacheLayout(t *testing.T) {
	home := files(t, "lib/commons-io-2.17.0.jar", "lib/logback-classic-1.3.15.jar", "lib/netty-common-4.1.119.Final.jar",
		"lib/slf4j-api-1.7.30.jar", "lib/zookeeper-3.9.6.jar", "lib/zookeeper-jute-3.9.6.jar")
	t.Setenv("ZOOKEEPER_HOME", home)
	d, err := embedded.Find(embedded.FindOptions{})
	require.NoError(t, err)
	require.Equal(t, "3.9.6", d.Version)
	require.Empty(t, d.KnownBad())
	require.Equal(t, []string{"zookeeper-jute-3.9.6.jar", "logback-classic-1.3.15.jar", "slf4j-api-1.7.30.jar",
		"netty-common-4.1.119.Final.jar", "commons-io-2.17.0.jar", "zookeeper-3.9.6.jar"}, names(d.ClassPath))
}

func TestDebianLayoutTakesOnlyItsOwn(t *testing.T) {
	d, err := embedded.Find(embedded.FindOptions{Dir: files(t, "usr/share/java/zookeeper.jar", "usr/share/java/zookeeper-jute.jar",
		"usr/share/java/slf4j-api.jar", "usr/share/java/slf4j-log4j12.jar", "usr/share/java/log4j-1.2.jar",
		"usr/share/java/slf4j-simple.jar", "usr/share/java/guava.jar", "usr/share/java/netty-common.jar")})
	require.NoError(t, err)
	require.Equal(t, []string{"zookeeper-jute.jar", "slf4j-api.jar", "slf4j-log4j12.jar", "log4j-1.2.jar",
		"netty-common.jar", "zookeeper.jar"}, names(d.ClassPath))
}

func TestUnpackedCopy(t *testing.T) {
	d, err := embedded.Find(zooKeeper())
	require.NoError(t, err)
	require.Regexp(t, `^3\.9\.\d+$`, d.Version)
	require.Empty(t, d.KnownBad())
}

func TestVersionFromManifest(t *testing.T) {
	dir := files(t, "zookeeper-jute.jar")
	f, err := os.Create(filepath.Join(dir, "zookeeper.jar"))
	require.NoError(t, err)
	defer f.Close()
	archive := zip.NewWriter(f)
	w, err := archive.Create("META-INF/MANIFEST.MF")
	require.NoError(t, err)
	fmt.Fprint(w, "Manifest-Version: 1.0\r\nImplementation-Version: 3.9.3-c26634f\r\n")
	require.NoError(t, archive.Close())
	d, err := embedded.Find(embedded.FindOptions{Dir: dir})
	require.NoError(t, err)
	require.Equal(t, "3.9.3", d.Version)
	for version, is := range map[[2]int]bool{{3, 6}: true, {3, 9}: true, {3, 10}: false, {4, 0}: false, {2, 12}: true} {
		require.Equal(t, is, d.IsSince(version[0], version[1]), version)
	}
	require.False(t, (&embedded.Distribution{}).IsSince(3, 6), "unknown")
	require.Contains(t, d.KnownBad(), "3.9.3")
}

func TestGoodCandidateIsPreferred(t *testing.T) {
	t.Setenv("ZOOKEEPER_HOME", "")
	bad := files(t, "lib/zookeeper-3.9.2.jar", "lib/zookeeper-jute-3.9.2.jar")
	good := files(t, "lib/zookeeper-3.8.6.jar", "lib/zookeeper-jute-3.8.6.jar")
	d, err := embedded.Find(embedded.FindOptions{Candidates: []string{t.TempDir(), bad, good}})
	require.NoError(t, err)
	require.Equal(t, "3.8.6", d.Version)
	d, err = embedded.Find(embedded.FindOptions{Dir: bad, Candidates: []string{good}})
	require.NoError(t, err)
	require.Equal(t, "3.9.2", d.Version, "what is named by hand is taken")
}

func TestKnownBad(t *testing.T) {
	for version, bad := range map[string]bool{
		"3.8.0": true, "3.8.4": true, "3.8.5": false, "3.8.6": false, "3.9.0": true, "3.9.4-abc": true, "3.9.5": false,
		"3.9.6": false, "3.9.10": false, "3.10.0": false, "": false, "junk": false,
	} {
		require.Equal(t, bad, embedded.KnownBad(version) != "", version)
	}
}
