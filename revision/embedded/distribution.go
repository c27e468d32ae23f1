package embedded

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Distribution is a Java runtime and a set of ZooKeeper's jars that can be started together.
type Distribution struct {
	Java      string   // the java program
	Dir       string   // the folder of the jars
	Version   string   // of ZooKeeper, as in "3.9.6"; "" when unknown
	ClassPath []string // in the order that matters, see order
}

// KnownBad is KnownBad of the distribution's version.
func (d *Distribution) KnownBad() string { return KnownBad(d.Version) }

// FindOptions says where to look beyond the environment.
type FindOptions struct {
	// JavaHome is used in place of $JAVA_HOME and the PATH.
	JavaHome string
	// Dir is used in place of $ZOOKEEPER_HOME and everything after it: an unpacked Apache release (lib/*.jar), an
	// unpacked Debian package (usr/share/java/*.jar), or a folder of jars.
	Dir string
	// Candidates are looked at after $ZOOKEEPER_HOME and before the system's /usr/share/java; they need not exist.
	Candidates []string
}

const (
	systemJars    = "/usr/share/java"
	javaHint      = "install a Java runtime, 11 or newer (Debian and Ubuntu: apt-get install default-jre-headless), or set JAVA_HOME"
	zooKeeperHint = "unpack an Apache ZooKeeper 3.9.5 or newer (https://zookeeper.apache.org/releases.html) and set ZOOKEEPER_HOME to it; packages are often older, as Debian 12's 3.8.0, and can lose acknowledged writes"
)

// Find locates a Java runtime and a ZooKeeper. What is named by hand (options, then $JAVA_HOME and $ZOOKEEPER_HOME)
// is taken as it is; among candidates and the system's jars one that is not KnownBad is preferred.
// Errors: ErrSystem; ErrNoJava, ErrNoZooKeeper, each wrapped with what to install.
func Find(o FindOptions) (*Distribution, error) {
	if err := supported(); err != nil {
		return nil, err
	}
	java, err := findJava(o.JavaHome)
	if err != nil {
		return nil, err
	}
	d, err := findZooKeeper(o)
	if err != nil {
		return nil, err
	}
	d.Java = java
	return d, nil
}

func findJava(home string) (string, error) {
	if home != "" {
		java := filepath.Join(home, "bin", "java")
		if _, err := exec.LookPath(java); err != nil {
			return "", fmt.Errorf("%w in %s: %s", ErrNoJava, home, javaHint)
		}
		return java, nil
	}
	if home = os.Getenv("JAVA_HOME"); home != "" {
		if java, err := exec.LookPath(filepath.Join(home, "bin", "java")); err == nil {
			return java, nil
		}
	}
	java, err := exec.LookPath("java")
	if err != nil {
		return "", fmt.Errorf("%w in JAVA_HOME or the PATH: %s", ErrNoJava, javaHint)
	}
	return java, nil
}

func findZooKeeper(o FindOptions) (*Distribution, error) {
	named := o.Dir
	if named == "" {
		named = os.Getenv("ZOOKEEPER_HOME")
	}
	if named != "" {
		d, err := open(named)
		if err != nil {
			return nil, fmt.Errorf("%w; %s", err, zooKeeperHint)
		}
		return d, nil
	}
	var bad *Distribution
	var first error
	for _, dir := range append(slices.Clone(o.Candidates), systemJars) {
		d, err := open(dir)
		switch {
		case err != nil && first == nil:
			first = err
		case err != nil:
		case d.KnownBad() == "":
			return d, nil
		case bad == nil:
			bad = d
		}
	}
	if bad != nil {
		return bad, nil
	}
	return nil, fmt.Errorf("%w; %s", first, zooKeeperHint)
}

// open reads the distribution in dir, in whichever of the three layouts.
func open(dir string) (*Distribution, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoZooKeeper, err)
	}
	for _, sub := range []string{"lib", systemJars, "."} {
		jars := filepath.Join(dir, sub)
		server := serverJar(jars)
		if server == "" {
			continue
		}
		class := apacheJars(jars)
		if isDebian(jars) {
			class = debianJars(jars)
		}
		if !slices.ContainsFunc(class, func(jar string) bool { return base(jar) == "zookeeper-jute" }) {
			return nil, fmt.Errorf("%w in %s: zookeeper-jute.jar is missing", ErrNoZooKeeper, jars)
		}
		return &Distribution{Dir: jars, Version: versionOf(server), ClassPath: order(append(class, server))}, nil
	}
	return nil, fmt.Errorf("%w in %s", ErrNoZooKeeper, dir)
}

// serverJar returns the folder's zookeeper.jar or zookeeper-<version>.jar, "" when there is none.
func serverJar(dir string) string {
	if jar := filepath.Join(dir, "zookeeper.jar"); isFile(jar) {
		return jar
	}
	found, _ := filepath.Glob(filepath.Join(dir, "zookeeper-[0-9]*.jar"))
	if len(found) == 0 {
		return ""
	}
	return found[len(found)-1]
}

// isDebian tells a shared folder of jars, of which only some are ours, from a release's own.
func isDebian(dir string) bool { return isFile(filepath.Join(dir, "zookeeper.jar")) }

func apacheJars(dir string) []string {
	all, _ := filepath.Glob(filepath.Join(dir, "*.jar"))
	return slices.DeleteFunc(all, func(jar string) bool { return base(jar) == "zookeeper" })
}

// debianJars picks from a shared folder what a server loads (seen with java -verbose:class), and the first complete
// logging backend: with two of them slf4j would complain at each start.
func debianJars(dir string) []string {
	var found []string
	add := func(names ...string) bool {
		var jars []string
		for _, name := range names {
			jar := filepath.Join(dir, name+".jar")
			if !isFile(jar) {
				return false
			}
			jars = append(jars, jar)
		}
		found = append(found, jars...)
		return true
	}
	for _, name := range []string{
		"zookeeper-jute", "slf4j-api",
		"netty-common", "netty-buffer", "netty-transport", "netty-resolver", "netty-codec", "netty-handler",
		"netty-transport-native-unix-common", "netty-transport-native-epoll", "jctools-core",
		"metrics-core", "snappy-java", "commons-cli", "commons-io",
	} {
		add(name)
	}
	_ = add("slf4j-reload4j", "reload4j") || add("slf4j-log4j12", "log4j-1.2") || add("slf4j-simple")
	return found
}

// order puts zookeeper-jute, logging and netty first and zookeeper.jar last: the manifest of Debian's zookeeper.jar
// names the jars of the system by absolute path, and those may be of another version.
func order(jars []string) []string {
	rank := func(jar string) int {
		switch name := base(jar); {
		case name == "zookeeper-jute":
			return 0
		case strings.HasPrefix(name, "slf4j"), strings.HasPrefix(name, "logback"), strings.Contains(name, "log4j"):
			return 1
		case strings.HasPrefix(name, "netty"):
			return 2
		case name == "zookeeper":
			return 4
		}
		return 3
	}
	slices.SortStableFunc(jars, func(a, b string) int { return rank(a) - rank(b) })
	return jars
}

// base is a jar's name without its version: zookeeper-jute for lib/zookeeper-jute-3.9.6.jar.
func base(jar string) string {
	name := strings.TrimSuffix(filepath.Base(jar), ".jar")
	for i := 1; i < len(name); i++ {
		if name[i-1] == '-' && '0' <= name[i] && name[i] <= '9' {
			return name[:i-1]
		}
	}
	return name
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
