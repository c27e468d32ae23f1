package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"time"
)

// interruptGrace is how long go test may take to end when it is interrupted.
const interruptGrace = 5 * time.Second

// event is what go test -json prints; see go doc test2json.
type event struct {
	Time       time.Time
	Action     string
	Package    string
	ImportPath string // of build-output
	Test       string
	Elapsed    float64 // seconds
	Output     string
}

// test runs the suites' tests and counts them. The error is that of go test, which fails if a test fails.
//
// Each of several rounds is a go test of its own: some of the tests look at metrics of the whole process, and fail
// when they are run in it again.
func (s *scratch) test(ctx context.Context, o options, chosen []suite, env []string) (*tally, error) {
	raw, err := os.Create(s.events())
	if err != nil {
		return nil, err
	}
	defer raw.Close()
	fmt.Printf("%d packages of %s on %s, from %s; building them takes minutes, the first time\n",
		len(chosen), upstream, o.store, s.path("apiserver"))
	t := newTally()
	var errs []error
	for range o.count {
		errs = append(errs, s.round(ctx, o, chosen, env, t, raw))
		if ctx.Err() != nil {
			break
		}
	}
	return t, errors.Join(errs...)
}

// round runs go test once, and keeps what it says in raw.
func (s *scratch) round(ctx context.Context, o options, chosen []suite, env []string, t *tally, raw io.Writer) error {
	args := []string{"test", "-json", "-mod=readonly", "-modfile=" + s.path("go.mod"), "-count=1",
		"-race=" + strconv.FormatBool(o.race), "-p=" + strconv.Itoa(o.parallel),
		"-timeout=" + o.timeout.String(), "-run=" + o.run}
	for _, c := range chosen {
		args = append(args, c.path())
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = interruptGrace
	cmd.Dir = s.self
	cmd.Env = append(append(os.Environ(), "GOWORK=off"), env...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	readErr := follow(io.TeeReader(out, raw), t, o.verbose)
	if err := errors.Join(readErr, cmd.Wait()); err != nil {
		return fmt.Errorf("go test: %w", err)
	}
	return nil
}

// follow hands each event to the tally, and tells people what they want to know at once.
func follow(r io.Reader, t *tally, verbose bool) error {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		var e event
		if json.Unmarshal(line, &e) != nil {
			fmt.Fprintf(os.Stderr, "%s", line) // go test could not even begin
			continue
		}
		t.add(e)
		switch {
		case verbose && e.Output != "", e.Action == "build-output":
			fmt.Print(e.Output)
		case e.Action == "fail" && e.Test != "":
			fmt.Printf("FAIL  %s %s (%.2fs)\n", e.Package, e.Test, e.Elapsed)
		case (e.Action == "pass" || e.Action == "fail") && e.Test == "":
			fmt.Printf("%-5s %s (%.0fs)\n", e.Action, e.Package, e.Elapsed)
		}
	}
}
