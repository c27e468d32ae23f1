package robustness

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/zkine/zkine/conformance/rig"
)

// A step of the clock would hit the whole machine, and the namespaces of
// the kernel leave that clock out. So zkine is built with another package time:
// that of the Go at hand, but that its Now adds, to what the wall clock shows
// and not to the monotonic clock, as many seconds as a file says. That is what a
// program sees of a step.

// clockEnv names the file with the seconds.
const clockEnv = "ROBUSTNESS_CLOCK"

// now is the line of time.Now that reads the clocks, and stepped what is added
// to it.
const (
	now     = "sec, nsec, mono := runtimeNow()\n"
	stepped = "\tsec += steppedBy.Load()\n"
)

// steppedSource is added to package time: a goroutine looks into the file again
// and again, since Now itself may be called where there is no stack for that.
const steppedSource = `package time

import (
	"sync/atomic"
	"syscall"
)

var steppedBy atomic.Int64

func init() {
	if file, ok := syscall.Getenv("` + clockEnv + `"); ok && file != "" {
		go followSteps(file)
	}
}

func followSteps(file string) {
	buffer := make([]byte, 32)
	for ; ; Sleep(10 * Millisecond) {
		fd, err := open(file)
		if err != nil {
			continue
		}
		n, _ := read(fd, buffer)
		closefd(fd)
		if by, err := atoi(string(buffer[:max(n, 0)])); err == nil {
			steppedBy.Store(int64(by))
		}
	}
}
`

// buildStepped builds a zkine whose clock can be stepped; the source is put
// into a folder, which has to stay until then.
func buildStepped(ctx context.Context, dir string) (program string, err error) {
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return "", err
	}
	source := filepath.Join(strings.TrimSpace(string(goroot)), "src", "time", "time.go")
	text, err := os.ReadFile(source)
	if err != nil {
		return "", err
	}
	changed := strings.Replace(string(text), now, now+stepped, 1)
	if changed == string(text) {
		return "", fmt.Errorf("%s has no line %q: this Go reads its clocks otherwise", source, now)
	}
	files := map[string]string{"time.go": changed, "stepped.go": steppedSource}
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	for name, content := range files {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			return "", err
		}
		overlay.Replace[filepath.Join(filepath.Dir(source), name)] = file
	}
	instructions, err := json.Marshal(overlay)
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(file, instructions, 0o644); err != nil {
		return "", err
	}
	return rig.BuildZkine(ctx, "-overlay", file)
}

// StepClock steps the clock of a zkine back and forth, by up to a year.
var StepClock = Fault{Name: "zkine-clock", apply: stepClock, clock: true}

func stepClock(ctx context.Context, e *faultEnv) error {
	z := e.anyZkine()
	e.hit(z)
	for _, by := range []time.Duration{time.Hour, -time.Hour, 365 * 24 * time.Hour, -365 * 24 * time.Hour, 3 * time.Second, 0} {
		if err := z.StepClock(by); err != nil {
			return err
		}
		if err := e.progress(ctx); err != nil {
			return err
		}
		if err := lastFor(ctx, time.Second); err != nil { // the shortest period in zkine that is not one of ZooKeeper's
			return err
		}
	}
	return nil
}
