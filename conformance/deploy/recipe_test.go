package deploy

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/zkine/zkine/conformance/rig"
	"github.com/zkine/zkine/conformance/rig/rigtest"
	"github.com/zkine/zkine/revision/embedded"
)

// recipe is the document whose commands are run, from the root of the checkout.
const recipe = "docs/security.md"

// patience bounds one block of it; a loaded machine is slow, not wrong.
const patience = 3 * time.Minute

// ports are those that the recipe names. A test puts free ones in their place: all else is run as it stands.
var ports = []string{"2281", "2888", "3888", "2379", "2381"}

// servers is the line of the recipe that lists the servers, which it says may be one alone.
const servers = `servers="127.0.0.1 127.0.0.2 127.0.0.3"`

// javaOptions have a JVM that lives for seconds start sooner.
const javaOptions = "JAVA_TOOL_OPTIONS=-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xshare:auto -XX:-UsePerfData -Xmx256m"

var allRecipes = flag.Bool("all", false, "run the commands of docs/security.md for a single server, too")

// TestSecurityRecipe runs the commands of docs/security.md as written, in order, in one shell. The commands check
// themselves: one that fails ends the test. It is run for an ensemble, with -all for a single server as well.
func TestSecurityRecipe(t *testing.T) {
	root, err := rig.Checkout()
	if err != nil {
		t.Fatal(err)
	}
	blocks, err := Blocks(filepath.Join(root, recipe))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Fatalf("%v: the recipe makes certificates with it (Debian: apt-get install openssl)", err)
	}
	path := programs(t)
	for name, listed := range map[string]string{"ensemble": servers, "one server": `servers="127.0.0.1"`} {
		if name != "ensemble" && !*allRecipes {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel() // most of it is waiting
			runRecipe(t, blocks, path, strings.NewReplacer(append(freePorts(t), servers, listed)...))
		})
	}
}

func runRecipe(t *testing.T, blocks []Block, path string, words *strings.Replacer) {
	shell, err := NewShell(t.TempDir(), "PATH="+path, "ZOOKEEPER_CLASSPATH="+classPath(t), javaOptions)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		shell.End()
		if t.Failed() {
			t.Log(tail(shell.Log()))
		}
	})
	for _, b := range blocks {
		ctx, cancel := context.WithTimeoutCause(t.Context(), patience, fmt.Errorf("not within %v", patience))
		start := time.Now()
		err := shell.Run(ctx, words.Replace(b.Text))
		cancel()
		if err != nil {
			t.Fatalf("%s:%d, %q: %v\n%s", recipe, b.Line, b.Section, err, b.Text)
		}
		t.Logf("%s:%d, %q: %v", recipe, b.Line, b.Section, time.Since(start).Round(10*time.Millisecond))
	}
}

// tail is the end of a long text.
func tail(text string) string { return text[max(0, len(text)-20000):] }

// freePorts are pairs for a strings.Replacer.
func freePorts(t *testing.T) (pairs []string) {
	for _, port := range ports {
		free, err := embedded.FreePort()
		if err != nil {
			t.Fatal(err)
		}
		pairs = append(pairs, port, strconv.Itoa(free))
	}
	return pairs
}

// programs is a PATH with zkine and etcdctl.
func programs(t *testing.T) string {
	bin := t.TempDir()
	for name, program := range map[string]string{"zkine": rigtest.Program(t), "etcdctl": rigtest.Component(t, "etcdctl")} {
		if err := os.Symlink(program, filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	return bin + string(os.PathListSeparator) + os.Getenv("PATH")
}

// classPath is a folder with the settings of ZooKeeper's log, as an Apache release has it, and the jars.
func classPath(t *testing.T) string {
	found, err := rig.FindZooKeeper()
	if err != nil {
		t.Fatal(err)
	}
	conf := t.TempDir()
	const settings = `log4j.rootLogger=INFO, stdout
log4j.appender.stdout=org.apache.log4j.ConsoleAppender
log4j.appender.stdout.layout=org.apache.log4j.PatternLayout
log4j.appender.stdout.layout.ConversionPattern=%d{ISO8601} %-5p [%t] %c{1}: %m%n
`
	if err := os.WriteFile(filepath.Join(conf, "log4j.properties"), []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	return strings.Join(append([]string{conf}, found.ClassPath...), string(os.PathListSeparator))
}
