package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
)

// report is what was measured.
type report struct {
	about string
	seed  uint64
	taken []taken
}

// taken is a row that was measured; a server that was left out is nil.
type taken struct {
	row
	takes       int
	zkine, etcd *result
	misses      []string
}

// take measures a row, and does so again when it is missed: the machine may have been busy with something else. The
// last take counts.
func (r *report) take(ctx context.Context, s *stage, o options, row row, p *progress) error {
	t := taken{row: row}
	for t.takes = 1; ; t.takes++ {
		for _, kind := range []string{zkineKind, etcdKind} {
			if o.only != "" && o.only != kind {
				continue
			}
			p.show(row, kind, t.takes)
			res, err := s.turn(ctx, kind, row, o)
			switch {
			case ctx.Err() != nil:
				return ctx.Err()
			case err != nil:
				return fmt.Errorf("%s on %s: %w", row.name, kind, err)
			case kind == zkineKind:
				t.zkine = &res
			default:
				t.etcd = &res
			}
			p.line("%-20s %-5s %s", row.name, kind, res.short())
		}
		if o.only != "" {
			break
		}
		other := t.etcd
		if other.died != nil {
			other = nil
		}
		if t.misses = slices.Concat(slowed(t.zkine, other), exceeded(row, t.zkine, other)); t.misses == nil || t.takes >= o.takes {
			break
		}
		p.line("%-20s missed: %s", row.name, strings.Join(t.misses, "; "))
	}
	if t.misses != nil {
		p.line("%-20s MISSED: %s", row.name, strings.Join(t.misses, "; "))
	}
	p.done()
	r.taken = append(r.taken, t)
	return nil
}

// short is a line about a result.
func (res *result) short() string {
	if res.died != nil {
		return fmt.Sprintf("died: %.500v", res.died)
	}
	return fmt.Sprintf("p50 %s > %s, p99 %s > %s ms (x%.1f), failed %d+%d/%d, newcomers %d ready %d of %d, memory %s +%s, fds %d > %d, goroutines %d > %d, log %d KiB, back after %.1f s%s, heap %+d, %+d KiB, others %.2f cores; %s",
		ms(res.calm.p50), ms(res.during.p50), ms(res.calm.p99), ms(res.during.p99), res.ratio(), res.during.failed, res.lost, res.during.calls,
		res.probes.served, res.probes.ready, res.probes.asked, mib(res.before.resident), mib(res.grown),
		res.before.descriptors, res.most.descriptors, res.before.goroutines, res.most.goroutines, res.logged>>10,
		res.back.Seconds(), parenthesis(res.backWhy), res.held()>>10, res.kept()>>10, res.cpuOfOthers, res.counts())
}

func parenthesis(s string) string {
	if s == "" {
		return ""
	}
	return " (" + s + ")"
}

// counts is what the load did.
func (res *result) counts() string {
	var all []string
	for _, what := range slices.Sorted(maps.Keys(res.did)) {
		all = append(all, fmt.Sprint(what, " ", res.did[what]))
	}
	return strings.Join(all, ", ")
}

// missed is an error that names the rows.
func (r *report) missed() error {
	var all []string
	for _, t := range r.taken {
		if t.misses != nil {
			all = append(all, fmt.Sprintf("%s: %s", t.name, strings.Join(t.misses, "; ")))
		}
	}
	if all == nil {
		return nil
	}
	return errors.New("missed:\n  " + strings.Join(all, "\n  "))
}

// print writes the report as Markdown.
func (r *report) print(out io.Writer) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s; seed %d\n\n", r.about, r.seed)
	b.WriteString("| row | server | p50, ms, calm → load | p99, ms, calm → load | p99 ratio | calls failed | newcomers | `/readyz` | memory, MiB, calm + growth | descriptors | goroutines | log, KiB | heap alive, MiB, under load, after | as before after, s | holds |\n" +
		"|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n")
	for _, t := range r.taken {
		for _, of := range []struct {
			kind string
			res  *result
		}{{zkineKind, t.zkine}, {etcdKind, t.etcd}} {
			if of.res != nil {
				b.WriteString(t.line(of.kind, of.res))
			}
		}
	}
	b.WriteString("\n| row | what the client does | memory of zkine may grow by | heap alive under load | descriptors | what came of it at zkine |\n|---|---|---|---|---|---|\n")
	for _, t := range r.taken {
		if t.zkine != nil {
			fmt.Fprintf(&b, "| %s | %s | etcd's growth + %d MiB | etcd's + %d MiB | %d + %d | %s |\n", t.name, t.what, t.allowance()>>20, mostHeld>>20+t.memory,
				t.zkine.before.descriptors, t.conns+fewDescriptors, t.zkine.counts())
		}
	}
	_, err := out.Write(b.Bytes())
	return err
}

// line is a server's in the table.
func (t taken) line(kind string, res *result) string {
	holds := ""
	if kind == zkineKind {
		holds = "yes"
		if t.misses != nil {
			holds = "**no**: " + strings.Join(t.misses, "; ")
		}
		if t.takes > 1 {
			holds += fmt.Sprintf(" (take %d)", t.takes)
		}
	}
	if res.died != nil {
		return fmt.Sprintf("| %s | %s | | | | | | | | | | | | ended | %s |\n", t.name, kind, holds)
	}
	goroutines := fmt.Sprintf("%d → %d", res.before.goroutines, res.most.goroutines)
	back := fmt.Sprintf("%.1f", res.back.Seconds())
	if res.back > backLimit {
		back = "more: " + res.backWhy
	}
	return fmt.Sprintf("| %s | %s | %s → %s | %s → %s | %.1f | %d of %d | %d of %d | %d of %d | %.0f + %.0f | %d → %d | %s | %d | %+.1f, %+.1f | %s | %s |\n",
		t.name, kind, ms(res.calm.p50), ms(res.during.p50), ms(res.calm.p99), ms(res.during.p99), res.ratio(),
		res.during.failed+res.lost, res.during.calls, res.probes.served, res.probes.asked, res.probes.ready, res.probes.asked,
		float64(res.before.resident)/(1<<20), float64(res.grown)/(1<<20), res.before.descriptors, res.most.descriptors, goroutines,
		res.logged>>10, float64(res.held())/(1<<20), float64(res.kept())/(1<<20), back, holds)
}

// Between these lines of a document stands a report.
const (
	reportBegins = "<!-- abuse: what make abuse -markdown puts here -->\n"
	reportEnds   = "<!-- abuse: end -->\n"
)

// write puts the report into a file: into its place, if the file has one, or as all of it.
func (r *report) write(name string) error {
	var b strings.Builder
	if err := r.print(&b); err != nil {
		return err
	}
	whole := b.String()
	if old, err := os.ReadFile(name); err == nil {
		before, rest, begins := strings.Cut(string(old), reportBegins)
		_, after, ends := strings.Cut(rest, reportEnds)
		if begins && ends {
			whole = before + reportBegins + whole + reportEnds + after
		}
	}
	return os.WriteFile(name, []byte(whole), 0o644)
}
