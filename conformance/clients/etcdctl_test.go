package clients

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zkine/zkine/conformance/reference"
	"github.com/zkine/zkine/conformance/rig/rigtest"
)

// TestEtcdctl types what the transcripts in testdata hold, each on an empty store, and compares what etcdctl prints.
// A transcript is a list of shell commands, after "$ ", and what they print, both streams, followed by "[exit N]" if
// they fail. "<name>" stands for a word that is the same wherever it occurs, in commands too; "<>" for any. Those
// whose name begins with "zkine" are about what differs from etcd by intention; the others hold for etcd as well.
func TestEtcdctl(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txt")
		steps := readTranscript(t, file)
		t.Run(name+"/zkine", func(t *testing.T) {
			t.Parallel()
			play(t, newZkine(t).Endpoint, steps)
		})
		if strings.HasPrefix(name, "zkine") {
			continue
		}
		t.Run(name+"/etcd", func(t *testing.T) {
			t.Parallel()
			play(t, reference.Start(t), steps)
		})
	}
}

// step is a command of a transcript and what it prints.
type step struct {
	line          int
	command, want string
}

func readTranscript(t *testing.T, file string) []step {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	return transcript(t, string(text))
}

func transcript(t *testing.T, text string) (steps []step) {
	t.Helper()
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		switch command, isCommand := strings.CutPrefix(line, "$ "); {
		case isCommand:
			steps = append(steps, step{line: i + 1, command: command})
		case strings.HasPrefix(line, "#"):
		default:
			require.NotEmpty(t, steps, "a transcript begins with a command")
			steps[len(steps)-1].want += line + "\n"
		}
	}
	return steps
}

func play(t *testing.T, endpoint string, steps []step) {
	t.Helper()
	words := map[string]string{}
	for _, s := range steps {
		command := s.command
		for name, word := range words {
			command = strings.ReplaceAll(command, "<"+name+">", word)
		}
		got := shell(t, endpoint, command)
		match(t, s, got, words)
	}
}

// environment has etcd's programs at hand, and etcdctl ask the store at the endpoint, with patience.
func environment(t *testing.T, endpoint string) []string {
	t.Helper()
	path := os.Getenv("PATH")
	for _, program := range []string{"etcdctl", "etcdutl"} { // each is built, if it is not there
		path = filepath.Dir(rigtest.Component(t, program)) + ":" + path
	}
	return append(os.Environ(), "ETCDCTL_ENDPOINTS="+endpoint, "ETCDCTL_DIAL_TIMEOUT=1m", "ETCDCTL_COMMAND_TIMEOUT=1m",
		"PATH="+path)
}

// shell runs a command with etcdctl at hand, and returns what it printed but for the log lines of its client.
func shell(t *testing.T, endpoint, command string) string {
	t.Helper()
	cmd := exec.CommandContext(within(t), "sh", "-c", command)
	cmd.Env = environment(t, endpoint)
	out, err := cmd.CombinedOutput()
	var text strings.Builder
	for line := range bytes.Lines(out) {
		if !bytes.HasPrefix(line, []byte(`{"level":`)) {
			text.Write(line)
		}
	}
	if err != nil {
		require.ErrorAs(t, err, new(*exec.ExitError))
		fmt.Fprintf(&text, "[exit %d]\n", cmd.ProcessState.ExitCode())
	}
	return text.String()
}

var placeholder = regexp.MustCompile(`<([a-z]*)>`)

// match compares what a step printed, and notes the words that its placeholders stand for.
func match(t *testing.T, s step, got string, words map[string]string) {
	t.Helper()
	want, pattern, last := strings.TrimSpace(s.want), "^", 0
	var names []string
	for _, at := range placeholder.FindAllStringSubmatchIndex(want, -1) {
		pattern += regexp.QuoteMeta(want[last:at[0]])
		last = at[1]
		name := want[at[2]:at[3]]
		if word, known := words[name]; known {
			pattern += regexp.QuoteMeta(word)
			continue
		}
		pattern += `([^\s,"()]+)`
		names = append(names, name)
	}
	pattern += regexp.QuoteMeta(want[last:]) + "$"
	found := regexp.MustCompile(pattern).FindStringSubmatch(strings.TrimSpace(got))
	if found == nil {
		t.Fatalf("line %d: %s\nprinted:\n%s\ninstead of:\n%s", s.line, s.command, got, s.want)
	}
	for i, name := range names {
		if name == "" {
			continue
		}
		if word, known := words[name]; known {
			require.Equal(t, word, found[i+1], "line %d: <%s> twice", s.line, name)
		}
		words[name] = found[i+1]
	}
}
