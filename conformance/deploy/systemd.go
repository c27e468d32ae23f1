package deploy

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/zkine/zkine/conformance/rig"
)

// offline is the first release of systemd whose systemd-analyze looks at a unit that is not loaded.
const offline = 250

// Analyze is a systemd-analyze that can look at files: the machine's, or one that is fetched from Debian's archive.
func Analyze(ctx context.Context) (string, error) {
	if path, err := exec.LookPath("systemd-analyze"); err == nil && release(ctx, path) >= offline {
		return path, nil
	}
	root, err := rig.Checkout()
	if err != nil {
		return "", err
	}
	dest := filepath.Join(root, ".cache", "systemd")
	fetch := exec.CommandContext(ctx, filepath.Join(root, "conformance", "deploy", "fetch-systemd.sh"), dest)
	if out, err := fetch.CombinedOutput(); err != nil {
		return "", fmt.Errorf("there is no systemd %d or newer here, and it cannot be fetched: %w\n%s", offline, err, out)
	}
	return filepath.Join(dest, "systemd-analyze"), nil
}

// release is a systemd-analyze's version, 0 if it does not tell.
func release(ctx context.Context, path string) int {
	out, err := exec.CommandContext(ctx, path, "--version").Output()
	if err != nil {
		return 0
	}
	match := regexp.MustCompile(`^systemd (\d+)`).FindSubmatch(out)
	if match == nil {
		return 0
	}
	n, err := strconv.Atoi(string(match[1]))
	if err != nil {
		return 0
	}
	return n
}

// Groups are systemd's named groups of system calls, such as @mount, with all that they hold, groups below them
// resolved.
func Groups(ctx context.Context, analyze string) (map[string][]string, error) {
	out, err := exec.CommandContext(ctx, analyze, "syscall-filter", "--no-pager").Output()
	if err != nil {
		return nil, fmt.Errorf("%s syscall-filter: %w", analyze, err)
	}
	direct, group := map[string][]string{}, ""
	for line := range strings.Lines(string(out)) {
		name := strings.TrimSpace(line)
		switch {
		case name == "" || strings.HasPrefix(name, "#"):
		case !strings.HasPrefix(line, " "):
			// The last part of the list is what no group holds, and has no name of a group.
			group = name
		default:
			direct[group] = append(direct[group], name)
		}
	}
	all := map[string][]string{}
	var resolve func(name string) []string
	resolve = func(name string) (calls []string) {
		for _, member := range direct[name] {
			if strings.HasPrefix(member, "@") {
				calls = append(calls, resolve(member)...)
			} else {
				calls = append(calls, member)
			}
		}
		return calls
	}
	for name := range direct {
		all[name] = resolve(name)
	}
	if len(all["@system-service"]) < 100 {
		return nil, fmt.Errorf("%s syscall-filter lists %d system calls for @system-service: its form has changed", analyze, len(all["@system-service"]))
	}
	return all, nil
}

// Unit is what a unit's files say, in order: the values of a setting that is given several times are all there.
type Unit map[string][]string

// ReadUnit reads a unit and its drop-ins. It knows the forms that zkine's have: no line is continued.
func ReadUnit(files ...string) (Unit, error) {
	unit := Unit{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(text)) {
			name, value, found := strings.Cut(strings.TrimSpace(line), "=")
			if found && !strings.HasPrefix(name, "#") {
				unit[name] = append(unit[name], value)
			}
		}
	}
	return unit, nil
}

// Calls are the system calls that the unit allows: those of its lists, and not those of a list after ~.
func (u Unit) Calls(groups map[string][]string) (map[string]bool, error) {
	allowed := map[string]bool{}
	for _, value := range u["SystemCallFilter"] {
		list, denied := strings.CutPrefix(value, "~")
		for _, name := range strings.Fields(list) {
			calls := []string{name}
			if strings.HasPrefix(name, "@") {
				if calls = groups[name]; calls == nil {
					return nil, fmt.Errorf("systemd knows no group of system calls %s", name)
				}
			}
			for _, call := range calls {
				allowed[call] = !denied
			}
		}
	}
	return allowed, nil
}

// Yes says whether a setting is on; the last value counts.
func (u Unit) Yes(name string) bool {
	values := u[name]
	return len(values) > 0 && values[len(values)-1] == "yes"
}
