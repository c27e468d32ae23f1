package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zkacl"
)

// aclProgress is how far a walk over znodes has come.
type aclProgress struct {
	what        string
	done, total int64 // total is 0 if it is not known
}

// Fraction implements progress.
func (p aclProgress) Fraction() float64 {
	if p.total == 0 {
		return -1
	}
	return min(1, float64(p.done)/float64(p.total))
}

func (p aclProgress) String() string {
	if p.total == 0 {
		return fmt.Sprintf("%s: %d znodes", p.what, p.done)
	}
	return fmt.Sprintf("%s: %d of about %d znodes", p.what, p.done, p.total)
}

// follow shows how far a walk has come until the returned function is called:
// as a bar on a terminal, else with a line now and then.
func (w *aclWork) follow(what string, total int64) (hear func(pass int, done int64), over func()) {
	out := w.cmd.ErrOrStderr()
	status, _ := terminal(out)
	var pass, count atomic.Int64
	over = showProgress(func(text string) { fmt.Fprintln(out, text) }, status, func() progress {
		p := aclProgress{what, count.Load(), total}
		if n := pass.Load(); n > 1 {
			p.what = fmt.Sprintf("looking again (pass %d)", n)
		}
		return p
	})
	return func(n int, done int64) { pass.Store(int64(n)); count.Store(done) }, over
}

func (w *aclWork) survey(ctx context.Context, findings int) (*zkacl.Survey, error) {
	hear, over := w.follow("looking", 0)
	defer over()
	return zkacl.Verify(ctx, w.conn, w.root, w.wanted, zkacl.Options{Progress: hear, MaxFindings: findings})
}

func (w *aclWork) apply(ctx context.Context, total int64) (*zkacl.Applied, error) {
	hear, over := w.follow("changing", total)
	defer over()
	return zkacl.Apply(ctx, w.conn, w.root, w.wanted, zkacl.Options{Progress: hear})
}

func printSurvey(w io.Writer, root string, s *zkacl.Survey) {
	fmt.Fprintf(w, "root %s: %d znodes, which are to have the ACL %s\n", root, s.Znodes, s.Wanted.Brief())
	shown := int64(0)
	for _, g := range s.Groups {
		fmt.Fprintf(w, "%d have %s (%s), like %s\n", g.Znodes, g.ACL.Brief(), g.Difference, strings.Join(g.Examples, ", "))
		shown += g.Znodes
	}
	if s.Different > shown {
		fmt.Fprintf(w, "%d have still other ACLs\n", s.Different-shown)
	}
	if s.Closed > 0 {
		fmt.Fprintf(w, "%d may not be looked at, or what is below them may not\n", s.Closed)
	}
	if s.Different+s.Closed == 0 {
		fmt.Fprintln(w, "all have it")
	}
}

func printFindings(w io.Writer, s *zkacl.Survey) {
	for _, f := range s.Findings {
		switch {
		case f.Closed != nil:
			fmt.Fprintf(w, "%s: closed: %s\n", f.Path, oneLine(f.Closed.Error()))
		case f.Ephemeral:
			fmt.Fprintf(w, "%s: %s: %s (a running zkine's)\n", f.Path, f.Difference, f.ACL.Brief())
		default:
			fmt.Fprintf(w, "%s: %s: %s\n", f.Path, f.Difference, f.ACL.Brief())
		}
	}
	if left := s.Different + s.Closed - int64(len(s.Findings)); left > 0 {
		fmt.Fprintf(w, "and %d more\n", left)
	}
}

// applyToParents gives the ACL to what is above the root, / last.
func (w *aclWork) applyToParents(ctx context.Context, out io.Writer) error {
	for _, p := range zkacl.Above(w.root) {
		changed, err := zkacl.ApplyOne(ctx, w.conn, p, w.wanted)
		if errors.Is(err, revision.ErrForbidden) {
			return &problem{thing: p, what: "its ACL may not be changed", remedy: "run this with credentials that have the permission a there, too, or leave --parents out"}
		}
		if err != nil {
			return err
		}
		if changed {
			fmt.Fprintf(out, "%s: changed\n", p)
		}
	}
	return nil
}

// previewParents tells what applyToParents would do.
func (w *aclWork) previewParents(ctx context.Context, out io.Writer) error {
	survey, err := zkacl.VerifySome(ctx, w.conn, w.root, zkacl.Above(w.root), w.wanted)
	if err != nil {
		return err
	}
	for _, f := range survey.Findings {
		text := "would be changed"
		if f.Closed != nil {
			text = "may not be changed"
		}
		fmt.Fprintf(out, "%s: %s\n", f.Path, text)
	}
	return nil
}

// judgeParents warns of what is above the root where others may touch it.
func (w *aclWork) judgeParents(ctx context.Context, out io.Writer) error {
	for _, p := range zkacl.Above(w.root) {
		warning, err := zkacl.JudgeParent(ctx, w.conn, p, w.wanted)
		if err != nil {
			return err
		}
		if warning != "" {
			fmt.Fprintf(out, "%s: warning: %s\n", p, warning)
		}
	}
	return nil
}
